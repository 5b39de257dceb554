"""`pod compose kill`: send a signal to the containers of a project."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def kill(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import life, members, rehearsal
    from pod.compose.making import remove_members
    from pod.linux.signals import parse

    number = parse(arguments.text("signal") or "SIGKILL", "--signal")
    _, project, found = compose.chosen_members(arguments, engine)
    orphans = []
    if compose.removes_orphans(arguments) and project is not None:
        orphans = members.orphans(engine, project)
    if compose.is_dry_run(arguments):
        lines = rehearsal.of_life("kill", found, f"by signal {number}")
        return compose.show_lines(lines + rehearsal.of_remove(project, orphans))
    tell = compose.teller(arguments)
    errors = life.kill(engine, found, number, tell)
    errors += remove_members(engine, orphans, tell)
    return compose.report_all(errors)


COMMAND = Command(
    kill,
    "[OPTIONS] [SERVICE...]",
    description="Sends a signal to the main process of each running container of the services.",
    options=(
        Option(("--remove-orphans",), "flag", "Remove containers of services that are not in the files any more"),
        Option(("-s", "--signal"), "text", "Signal to send", metavar="SIGNAL", default="SIGKILL"),
        compose.DRY_RUN,
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose kill", "pod compose kill --signal HUP web"),
)  # fmt: skip
