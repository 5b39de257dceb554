"""`pod kill`: send a signal to the main process of containers."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def kill_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine.stop import kill
    from pod.linux import signals
    from pod.state import containers

    number = signals.parse(arguments.text("signal") or "", "--signal")
    names = select.chosen(arguments, engine, default=lambda it: it.is_running)

    def do(name: str) -> str:
        kill(engine, containers.find(engine.database, name), number)
        return name

    return for_each(names, do)


COMMAND = Command(
    kill_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description="Sends SIGKILL, or another signal, to the first process of running containers.",
    options=(
        select.all_option("All running containers"),
        select.CIDFILE,
        select.LATEST,
        Option(
            ("-s", "--signal"),
            "text",
            "The signal, by name or number",
            metavar="SIGNAL",
            default="KILL",
        ),
    ),
    maximum=None,
    completes=("running",),
    examples=("pod kill web", "pod kill --signal HUP web"),
)
