"""`pod pod restart`: stop and start all containers of pods."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def restart_pods(arguments: Arguments, engine: Engine) -> int:
    from pod.engine.pod_start import start_pod
    from pod.engine.pod_stop import stop_pod

    return pods.for_each(
        arguments,
        engine,
        lambda pod: stop_pod(engine, pod, by_user=False) or start_pod(engine, pod),
    )


COMMAND = Command(
    restart_pods,
    "[OPTIONS] POD [POD...]",
    description=("Stops all containers of pods and starts them again, init containers included."),
    options=(pods.all_option("Restart all pods"), pods.LATEST),
    maximum=None,
    completes=("pod",),
    examples=("pod pod restart shop",),
)
