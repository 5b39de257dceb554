"""`pod compose stop`: stop the containers of a project."""

from __future__ import annotations

from pod.cli.commands.compose_up import TIMEOUT
from pod.cli.declare import Command
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def stop(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import rehearsal
    from pod.compose.down import stop_in_order

    _, project, found = compose.chosen_members(arguments, engine)
    if compose.is_dry_run(arguments):
        return compose.show_lines(rehearsal.of_stop(project, found))
    timeout = arguments.number("timeout")
    tell = compose.teller(arguments)
    return compose.report_all(stop_in_order(engine, project, found, tell, timeout))


COMMAND = Command(
    stop,
    "[OPTIONS] [SERVICE...]",
    description="Stops the containers of the services, dependent ones first, and removes nothing.",
    options=(TIMEOUT, compose.DRY_RUN),
    maximum=None,
    completes=("service",),
    examples=("pod compose stop", "pod compose stop --timeout 3 web"),
)
