"""`pod unpause`: let paused containers go on."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def unpause_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine.pause import unpause
    from pod.state import containers

    names = select.chosen(arguments, engine, default=lambda it: it.state == "paused")

    def do(name: str) -> str:
        unpause(engine, containers.find(engine.database, name))
        return name

    return for_each(names, do)


COMMAND = Command(
    unpause_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description="Lets the processes of paused containers go on from where they were stopped.",
    options=(
        select.all_option("Let all paused containers go on"),
        select.CIDFILE,
        select.FILTER,
        select.LATEST,
    ),
    maximum=None,
    completes=("running",),
    examples=("pod unpause web", "pod unpause --all"),
)
