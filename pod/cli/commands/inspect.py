"""`pod inspect`: show everything about containers, images, volumes, pods, networks and artifacts."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

FORMAT = Option(("-f", "--format"), "text", "Show by a Go template", metavar="FORMAT")
SIZE = Option(("-s", "--size"), "flag", "Show how much containers have written, too")


def inspect_objects(arguments: Arguments, engine: Engine) -> int:
    kind = arguments.text("type") or "all"
    if arguments.flag("size") and kind not in {"all", "container"}:
        raise UsageError(f"--size and --type={kind} exclude each other")
    return show(arguments, engine, kind)


def show(arguments: Arguments, engine: Engine, kind: str) -> int:
    """Print the documents of what was named; the exit status tells whether one was not found."""
    from pod.cli.output import show_documents
    from pod.cli.several import for_each
    from pod.engine.inspect import document

    names = list(arguments.words)
    if arguments.flag("latest"):
        if names:
            raise UsageError(f"--latest excludes a name, '{names[0]}'")
        names, kind = [select.latest(engine)], "container"
    elif not names:
        raise UsageError(
            f"`{arguments.spelling}` needs the name or id of what to inspect",
            hint=f"{arguments.spelling} --help",
        )
    found = []

    def do(name: str) -> None:
        found.append(document(engine, name, kind, size=arguments.flag("size")))

    status = for_each(names, do)
    if found or not arguments.text("format"):
        show_documents(found, arguments.text("format"))
    return status


COMMAND = Command(
    inspect_objects,
    "[OPTIONS] NAME [NAME...]",
    description=(
        "Shows all that is known about objects as JSON. A name is looked for among containers, then images, then "
        "volumes, then pods, then networks, then artifacts."
    ),
    options=(
        FORMAT,
        select.LATEST,
        SIZE,
        Option(
            ("-t", "--type"),
            "text",
            "Look among these objects only",
            metavar="KIND",
            default="all",
            choices=("all", "container", "image", "volume", "network", "pod", "artifact"),
        ),
    ),
    maximum=None,
    completes=("container",),
    examples=(
        "pod inspect web",
        "pod inspect --format '{{.State.Status}} {{.State.ExitCode}}' web",
    ),
)
