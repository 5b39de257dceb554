"""`pod pod stop`: stop all containers of pods."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def stop_pods(arguments: Arguments, engine: Engine) -> int:
    from pod.engine.pod_stop import stop_pod

    timeout = arguments.number("time")
    return pods.for_each(
        arguments,
        engine,
        lambda pod: stop_pod(engine, pod, timeout),
        prints_typed=True,
        ignores=arguments.flag("ignore"),
    )


COMMAND = Command(
    stop_pods,
    "[OPTIONS] POD [POD...]",
    description=(
        "Asks all containers of pods to end with their stop signals, and kills those that still run after 10 seconds. "
        "The infra container ends last."
    ),
    options=(pods.all_option("Stop all pods"), pods.IGNORE, pods.LATEST, pods.ID_FILES, pods.TIME),
    maximum=None,
    completes=("pod",),
    examples=("pod pod stop shop", "pod pod stop --time 2 --all"),
)
