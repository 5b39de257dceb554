"""`pod pause`: stop all processes of containers where they are."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def pause_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine.pause import pause
    from pod.state import containers

    names = select.chosen(arguments, engine, default=lambda it: it.state == "running")

    def do(name: str) -> str:
        pause(engine, containers.find(engine.database, name))
        return name

    return for_each(names, do)


COMMAND = Command(
    pause_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description=(
        "Stops all processes of running containers where they are. They keep their memory and get no processor time "
        "until `pod unpause`."
    ),
    options=(
        select.all_option("Pause all running containers"),
        select.CIDFILE,
        select.FILTER,
        select.LATEST,
    ),
    maximum=None,
    completes=("running",),
    examples=("pod pause web", "pod pause --all"),
)
