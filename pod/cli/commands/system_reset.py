"""`pod system reset`: remove all containers, images, volumes and networks."""

from __future__ import annotations

from pod.base import exits
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def reset_system(arguments: Arguments, engine: Engine) -> int:
    from pod.engine.reset import reset

    if not arguments.flag("force"):
        from pod.cli.ask import confirmed

        paths = engine.paths
        warning = (
            "This removes:\n"
            "  - all containers, running ones too\n"
            "  - all images\n"
            "  - all networks\n"
            f"  - all volumes, with all their files, in {paths.volumes}\n"
            f"  - everything else of pod in {paths.root} and {paths.runroot}\n"
        )
        if not confirmed(warning):
            return 0
    problems = reset(engine)
    for problem in problems:
        from pod.cli.report import complain

        complain(problem)
    return exits.FAILED if problems else 0


COMMAND = Command(
    reset_system,
    "[OPTIONS]",
    description=(
        "Stops and removes all containers, and removes all images, all networks, all volumes with their files, and "
        "everything else that pod keeps below its root directory and run directory. Asks before. Settings and "
        "credentials stay."
    ),
    options=(Option(("-f", "--force"), "flag", "Do not ask"),),
    examples=("pod system reset",),
)
