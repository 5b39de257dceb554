"""`pod pod unpause`: let paused pods go on."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def unpause_pods(arguments: Arguments, engine: Engine) -> int:
    from pod.engine.pod_pause import unpause_pod

    return pods.for_each(arguments, engine, lambda pod: unpause_pod(engine, pod))


COMMAND = Command(
    unpause_pods,
    "[OPTIONS] POD [POD...]",
    description=("Lets the paused containers of pods go on."),
    options=(pods.all_option("Let all pods go on"), pods.LATEST),
    maximum=None,
    completes=("pod",),
    examples=("pod pod unpause shop",),
)
