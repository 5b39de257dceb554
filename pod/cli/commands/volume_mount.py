"""`pod volume mount`: where the files of volumes are."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.several import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def mount_volumes(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import volume_archive

    return for_each(arguments.words, lambda name: volume_archive.mount(engine, name))


COMMAND = Command(
    mount_volumes,
    "VOLUME [VOLUME...]",
    description=(
        "Prints the directories in which the files of volumes are. Only inside of `pod unshare`, where the owners "
        "of these files are yours."
    ),
    minimum=1,
    maximum=None,
    completes=("volume",),
    examples=("pod unshare sh -c 'ls -l $(pod volume mount data)'",),
)
