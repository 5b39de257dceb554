"""`pod compose snapshot restore`: put the volumes of a project back as they were."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def restore(arguments: Arguments, engine: Engine) -> None:
    from pod.compose import snapshot
    from pod.compose.lock import ProjectLock

    name, _ = compose.load_if_there(arguments, engine)
    if compose.is_dry_run(arguments):
        found = snapshot.read(engine, name, arguments.words[0]).volumes
        compose.show_lines(f"volume: restore {it['name']}" for it in found)
        return
    with ProjectLock(engine, name):
        snapshot.restore(engine, name, arguments.words[0], compose.teller(arguments))


COMMAND = Command(
    restore,
    "[OPTIONS] NAME",
    description=(
        "Puts all volumes that a snapshot has back as they were; those that are gone are made again. Containers that "
        "use them are stopped. What is in them now is lost. When it is interrupted, nothing of the project starts "
        "before it is done again."
    ),
    options=(compose.DRY_RUN,),
    minimum=1,
    maximum=1,
    examples=("pod compose stop && pod compose snapshot restore before-upgrade && pod compose start",),
)  # fmt: skip
