"""`pod network exists`: tell by the exit status whether a network exists."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def network_exists(arguments: Arguments, engine: Engine) -> int:
    from pod.state import networks

    try:
        networks.find(engine.database, arguments.words[0])
    except networks.NoSuchNetwork:
        return 1
    return 0


COMMAND = Command(
    network_exists,
    "NETWORK",
    description="Prints nothing. The exit status is 0 when the network exists, and 1 when it does not.",
    minimum=1,
    maximum=1,
    completes=("network",),
    examples=("pod network exists backend || pod network create backend",),
)
