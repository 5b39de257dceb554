"""`pod compose unpause`: let the processes of a project go on."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def unpause(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import life, rehearsal

    _, _, found = compose.chosen_members(arguments, engine)
    if compose.is_dry_run(arguments):
        return compose.show_lines(rehearsal.of_life("unpause", found))
    return compose.report_all(life.unpause(engine, found, compose.teller(arguments)))


COMMAND = Command(
    unpause,
    "[OPTIONS] [SERVICE...]",
    description="Lets services go on that `pod compose pause` has stopped.",
    options=(compose.DRY_RUN,),
    maximum=None,
    completes=("service",),
    examples=("pod compose unpause", "pod compose unpause web"),
)
