"""`pod pod kill`: send a signal to all containers of pods."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def kill_pods(arguments: Arguments, engine: Engine) -> int:
    from pod.engine.pod_stop import kill_pod
    from pod.linux import signals

    number = signals.parse(arguments.text("signal") or "", "--signal")
    return pods.for_each(arguments, engine, lambda pod: kill_pod(engine, pod, number))


COMMAND = Command(
    kill_pods,
    "[OPTIONS] POD [POD...]",
    description=(
        "Sends SIGKILL, or another signal, to the first process of every running container of pods."
    ),
    options=(
        pods.all_option("All pods"),
        pods.LATEST,
        Option(
            ("-s", "--signal"),
            "text",
            "The signal, by name or number",
            metavar="SIGNAL",
            default="KILL",
        ),
    ),
    maximum=None,
    completes=("pod",),
    examples=("pod pod kill shop", "pod pod kill --signal HUP shop"),
)
