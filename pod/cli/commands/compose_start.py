"""`pod compose start`: start containers that are there."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def start(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import life, ready, rehearsal

    if arguments.given("wait_timeout") and not arguments.flag("wait"):
        raise UsageError("--wait-timeout needs --wait")
    _, project, found = compose.chosen_members(arguments, engine)
    if compose.is_dry_run(arguments):
        return compose.show_lines(rehearsal.of_life("start", found))
    status = compose.report_all(life.start(engine, project, found, compose.teller(arguments)))
    if not status and arguments.flag("wait") and project is not None:
        services = list({member.service for member in found})
        ready.wait_until_ready(engine, project, services, arguments.number("wait_timeout") or None)
    return status


COMMAND = Command(
    start,
    "[OPTIONS] [SERVICE...]",
    description=(
        "Starts the containers of the services that are there and do not run, in the order of their dependencies. "
        "It makes none: `pod compose up` does."
    ),
    options=(
        Option(("--wait",), "flag", "Wait until the services are healthy, or run where they have no check"),
        Option(("--wait-timeout",), "number", "Seconds to wait at most", metavar="SECONDS", lowest=0),
        compose.DRY_RUN,
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose start", "pod compose start --wait db"),
)  # fmt: skip
