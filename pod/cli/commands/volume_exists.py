"""`pod volume exists`: tell by the exit status whether a volume exists."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def volume_exists(arguments: Arguments, engine: Engine) -> int:
    from pod.state import volumes

    try:
        volumes.find(engine.database, arguments.words[0])
    except volumes.NoSuchVolume:
        return 1
    return 0


COMMAND = Command(
    volume_exists,
    "VOLUME",
    description="Prints nothing. The exit status is 0 when the volume exists, and 1 when it does not.",
    minimum=1,
    maximum=1,
    completes=("volume",),
    examples=("pod volume exists data || pod volume create data",),
)
