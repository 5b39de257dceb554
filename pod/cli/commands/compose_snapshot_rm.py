"""`pod compose snapshot rm`: remove snapshots of a project."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def remove(arguments: Arguments, engine: Engine) -> int:
    from pod.base.errors import PodError
    from pod.compose import snapshot
    from pod.compose.lock import ProjectLock

    name, _ = compose.load_if_there(arguments, engine)
    tell = compose.teller(arguments)
    if compose.is_dry_run(arguments):
        found = [snapshot.read(engine, name, word).name for word in arguments.words]
        return compose.show_lines(f"snapshot: remove {it}" for it in found)
    errors = []
    with ProjectLock(engine, name):
        for word in arguments.words:
            try:
                snapshot.remove(engine, name, word)
            except PodError as error:
                errors.append(error)
            else:
                tell("Snapshot", word, "Removed")
    engine.store.staging.empty_trash_behind()
    return compose.report_all(errors)


COMMAND = Command(
    remove,
    "[OPTIONS] NAME [NAME...]",
    description="Removes snapshots of a project. Its volumes are left alone.",
    options=(compose.DRY_RUN,),
    minimum=1,
    maximum=None,
    examples=("pod compose snapshot rm before-upgrade",),
)
