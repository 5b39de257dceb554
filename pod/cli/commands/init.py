"""`pod init`: prepare containers up to the last step before their command."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def initialize_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine.initialize import initialize
    from pod.state import containers

    names = select.chosen(arguments, engine, default=lambda it: it.state in {"created", "exited"})

    def do(name: str) -> str:
        initialize(engine, containers.find(engine.database, name))
        return name

    return for_each(names, do)


COMMAND = Command(
    initialize_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description=(
        "Prepares containers up to the last step before their command: mounts, network and limits are there and can be "
        "looked at. `pod start` goes on from there."
    ),
    options=(
        select.all_option("Initialize all containers that do not run"),
        select.LATEST,
    ),
    maximum=None,
    completes=("stopped",),
    examples=("pod init web",),
)
