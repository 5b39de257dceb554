"""`pod volume unmount`: the counterpart of `pod volume mount`."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.several import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def unmount_volumes(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import volume_archive

    return for_each(arguments.words, lambda name: volume_archive.unmount(engine, name))


COMMAND = Command(
    unmount_volumes,
    "VOLUME [VOLUME...]",
    description=(
        "Prints the names of the volumes. Nothing has to be undone: the directories of volumes stay where they are."
    ),
    minimum=1,
    maximum=None,
    completes=("volume",),
    examples=("pod unshare pod volume unmount data",),
)
