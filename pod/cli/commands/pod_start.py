"""`pod pod start`: start all containers of pods."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def start_pods(arguments: Arguments, engine: Engine) -> int:
    from pod.engine.pod_start import start_pod

    return pods.for_each(arguments, engine, lambda pod: start_pod(engine, pod), prints_typed=True)


COMMAND = Command(
    start_pods,
    "[OPTIONS] POD [POD...]",
    description=(
        "Starts all containers of pods: the infra container, then the init containers, each to its end, then the "
        "others. What runs already is fine."
    ),
    options=(pods.all_option("Start all pods"), pods.LATEST, pods.ID_FILES),
    maximum=None,
    completes=("pod",),
    examples=("pod pod start shop", "pod pod start --all"),
)
