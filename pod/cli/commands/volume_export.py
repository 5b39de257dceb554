"""`pod volume export`: the files of a volume as a tar archive."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.streams import archive_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def export_volume(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import volume_archive
    from pod.state import volumes

    name = volumes.find(engine.database, arguments.words[0]).name
    path = arguments.text("output")
    target = archive_output() if path in (None, "-") else path
    volume_archive.export(engine, name, target)


COMMAND = Command(
    export_volume,
    "[OPTIONS] VOLUME",
    description="Writes the files of a volume as a tar archive, to standard output when no file is given.",
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
    completes=("volume",),
    examples=("pod volume export data > data.tar", "pod volume export --output data.tar data"),
)
