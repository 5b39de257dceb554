"""`pod compose pause`: stop the processes of a project where they are."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def pause(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import life, rehearsal

    _, _, found = compose.chosen_members(arguments, engine)
    if compose.is_dry_run(arguments):
        return compose.show_lines(rehearsal.of_life("pause", found))
    return compose.report_all(life.pause(engine, found, compose.teller(arguments)))


COMMAND = Command(
    pause,
    "[OPTIONS] [SERVICE...]",
    description="Stops the processes of the services where they are; `pod compose unpause` lets them go on.",
    options=(compose.DRY_RUN,),
    maximum=None,
    completes=("service",),
    examples=("pod compose pause", "pod compose pause web"),
)
