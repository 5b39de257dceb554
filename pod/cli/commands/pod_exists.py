"""`pod pod exists`: tell whether there is such a pod."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def pod_exists(arguments: Arguments, engine: Engine) -> int:
    from pod.state import pods

    try:
        pods.find(engine.database, arguments.words[0])
    except pods.NoSuchPod:
        return 1
    return 0


COMMAND = Command(
    pod_exists,
    "POD",
    description="The exit status is 0 when there is such a pod, 1 when there is none. Nothing is printed.",
    minimum=1,
    maximum=1,
    completes=("pod",),
    examples=("pod pod exists shop && pod pod start shop",),
)
