"""`pod exec`: run a command in a running container."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import attaching, process, select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def execute_in_container(arguments: Arguments, engine: Engine) -> int:
    from pod.engine.exec import ExecOptions, execute

    name, words = _container_and_command(arguments, engine)
    detach, terminal = arguments.flag("detach"), arguments.flag("tty")
    detach_keys = b""
    if terminal or arguments.given("detach_keys"):
        detach_keys = attaching.read_detach_keys(arguments, engine)
    options = ExecOptions(
        tuple(words),
        environment=process.read_environment(arguments, None),
        user=process.read_user(arguments.text("user") or "") if arguments.given("user") else None,
        working_directory=process.read_working_directory(arguments)
        if arguments.given("workdir")
        else "",
        interactive=arguments.flag("interactive") and not detach,
        terminal=terminal,
        detach=detach,
        privileged=arguments.flag("privileged"),
        detach_keys=detach_keys,
        keep_fds=process.read_descriptors(arguments),
    )
    if terminal and options.interactive:
        attaching.warn_without_terminal(is_wanted=True)
    return execute(engine, name, options)


def _container_and_command(arguments: Arguments, engine: Engine) -> tuple[str, list[str]]:
    words = arguments.words
    ways = [
        way
        for way, is_used in (
            ("--latest", arguments.flag("latest")),
            ("--cidfile", arguments.given("cidfile")),
        )
        if is_used
    ]
    if len(ways) > 1:
        raise UsageError("--latest and --cidfile exclude each other")
    if ways:
        name = select.latest(engine) if ways == ["--latest"] else select.id_in_file(arguments)
    elif words:
        name, words = words[0], words[1:]
    else:
        raise UsageError(
            f"`{arguments.spelling}` needs the name or id of a container, or --latest",
            hint=f"{arguments.spelling} --help",
        )
    if not words:
        raise UsageError(
            f"`{arguments.spelling}` needs a command to run",
            hint=f"{arguments.spelling} {name} COMMAND",
        )
    return name, words


COMMAND = Command(
    execute_in_container,
    "[OPTIONS] CONTAINER COMMAND [ARG...]",
    description=(
        "Runs a command in a running container, as its user and with its variables. The exit status is that of the "
        "command; 125 is an error of pod itself, 126 a command that cannot be executed, 127 one that does not exist."
    ),
    options=(
        Option(
            ("--cidfile",),
            "text",
            "Read the id of the container from a file",
            metavar="FILE",
            completes="file",
        ),
        Option(("-d", "--detach"), "flag", "Leave the command in the background"),
        attaching.DETACH_KEYS,
        process.ENV,
        process.ENV_FILE,
        process.INTERACTIVE,
        select.LATEST,
        Option(
            ("--no-session",),
            "flag",
            "Keep no record of the command, as pod never does",
        ),
        *process.DESCRIPTORS,
        Option(("--privileged",), "flag", "Give the command all capabilities"),
        process.TTY,
        process.USER,
        process.WORKDIR,
    ),
    interspersed=False,
    maximum=None,
    completes=("running",),
    examples=("pod exec -it web sh", "pod exec --user 33 web id"),
)
