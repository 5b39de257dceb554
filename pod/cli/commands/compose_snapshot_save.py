"""`pod compose snapshot save`: keep the volumes of a project under a name."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def save(arguments: Arguments, engine: Engine) -> None:
    from pod.compose import snapshot
    from pod.compose.lock import ProjectLock

    name, _ = compose.load_if_there(arguments, engine)
    if compose.is_dry_run(arguments):
        found = snapshot.to_save(engine, name, arguments.words[0], replace=arguments.flag("force"))
        compose.show_lines(f"volume: save {it.name}" for it in found)
        return
    with ProjectLock(engine, name):
        snapshot.save(
            engine,
            name,
            arguments.words[0],
            compose.teller(arguments),
            replace=arguments.flag("force"),
        )


COMMAND = Command(
    save,
    "[OPTIONS] NAME",
    description=(
        "Keeps all named volumes of a project as they are now. Its containers are stopped or paused. Where the file "
        "system can, the copy shares its blocks with the volumes and takes no space. It stays when the project and its "
        "volumes are removed."
    ),
    options=(
        Option(("-f", "--force"), "flag", "Replace a snapshot of this name"),
        compose.DRY_RUN,
    ),
    minimum=1,
    maximum=1,
    examples=("pod compose pause && pod compose snapshot save before-upgrade && pod compose unpause",),
)  # fmt: skip
