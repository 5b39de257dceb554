"""`pod container runlabel`: do what a label of an image says."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_REGISTRY = ("--authfile", "--cert-dir", "--creds", "--tls-verify")


def run_label(arguments: Arguments, engine: Engine) -> int:
    import shlex

    from pod.engine.images import PullOptions
    from pod.engine.runlabel import command_of

    label, image_name, *more = arguments.words
    quiet = arguments.flag("quiet")
    pull = PullOptions(
        policy="missing",
        authfile=arguments.text("authfile") or "",
        credentials=image.read_credentials(arguments),
        certificates=arguments.text("cert_dir") or "",
        tls_verify=arguments.flag("tls_verify") if arguments.given("tls_verify") else None,
        quiet=quiet,
        progress=None if quiet else image.loud_progress,
    )
    words, name = command_of(
        engine, label, image_name, more, name=arguments.text("name") or "", pull=pull
    )
    if arguments.flag("display") or not quiet:
        print("command:", shlex.join(["pod", *words]), flush=True)
    if arguments.flag("display"):
        return 0
    if arguments.flag("replace"):
        _remove(engine, name)
    return _call(words)


def _remove(engine: Engine, name: str) -> None:
    from pod.engine import remove
    from pod.state import containers

    try:
        found = containers.find(engine.database, name)
    except containers.NoSuchContainer:
        return
    if found.name == name:
        remove.remove(engine, found, force=True)


def _call(words: list[str]) -> int:
    """Do what pod does with these words, behind the global options that this command was given."""
    import sys

    from pod.cli.globals import GLOBAL_OPTIONS
    from pod.cli.main import main
    from pod.cli.parse import parse_options

    typed = sys.argv[1:]
    own = parse_options(GLOBAL_OPTIONS, typed, "pod", interspersed=False).words
    sys.argv = [sys.argv[0], *typed[: len(typed) - len(own)], *words]
    return main(sys.argv[1:])


COMMAND = Command(
    run_label,
    "[OPTIONS] LABEL IMAGE [ARG...]",
    description=(
        "Runs the command that a label of an image holds, with the arguments behind it, and prints it first. Only "
        "commands of podman, docker and pod are run, and pod does them itself."
    ),
    options=(
        Option(("--display",), "flag", "Print the command and do not run it"),
        Option(("-n", "--name"), "text", "What $NAME stands for", metavar="NAME"),
        Option(("-q", "--quiet"), "flag", "Print neither the command nor progress of a pull"),
        Option(("--replace",), "flag", "Remove a container of the name first"),
        *(option for option in image.REGISTRY_OPTIONS if option.flags[-1] in _REGISTRY),
    ),
    interspersed=False,
    minimum=2,
    maximum=None,
    completes=("", "image"),
    examples=("pod container runlabel --display install tools", "pod container runlabel run tools"),
)
