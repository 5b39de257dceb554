"""`pod volume import`: unpack a tar archive into a volume."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.streams import ArchiveInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def import_volume(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import volume_archive
    from pod.state import volumes

    name, source = arguments.words
    volumes.find(engine.database, name)
    with ArchiveInput(source) as fd:
        volume_archive.import_(engine, name, fd)


COMMAND = Command(
    import_volume,
    "VOLUME SOURCE",
    description=(
        "Unpacks a tar archive, compressed or not, into a volume that exists. Files of the same names are replaced, "
        "others stay. SOURCE is a file, or - for standard input."
    ),
    minimum=2,
    maximum=2,
    completes=("volume", "file"),
    examples=("pod volume import data data.tar", "tar -c . | pod volume import data -"),
)
