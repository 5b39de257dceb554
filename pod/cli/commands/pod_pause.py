"""`pod pod pause`: stop all processes of pods where they are."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def pause_pods(arguments: Arguments, engine: Engine) -> int:
    from pod.engine.pod_pause import pause_pod

    return pods.for_each(arguments, engine, lambda pod: pause_pod(engine, pod))


COMMAND = Command(
    pause_pods,
    "[OPTIONS] POD [POD...]",
    description=(
        "Stops all processes of the containers of pods where they are, until `pod pod unpause`."
    ),
    options=(pods.all_option("Pause all pods"), pods.LATEST),
    maximum=None,
    completes=("pod",),
    examples=("pod pod pause shop",),
)
