"""`pod export`: the file system of a container as a tar archive."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.streams import archive_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def export_container(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import export
    from pod.state import containers

    name = containers.find(engine.database, arguments.words[0]).id
    path = arguments.text("output")
    target = archive_output() if path in (None, "-") else path
    export.export(engine, name, target)


COMMAND = Command(
    export_container,
    "[OPTIONS] CONTAINER",
    description=(
        "Writes the file system of a container as a tar archive, to standard output when no file is given. What is "
        "mounted into the container, volumes too, is not in it."
    ),
    options=(
        Option(
            ("-o", "--output"),
            "text",
            "Write it to a file",
            metavar="FILE",
            completes="file",
        ),
    ),
    minimum=1,
    maximum=1,
    completes=("container",),
    examples=("pod export web > web.tar", "pod export --output web.tar web"),
)
