"""`pod compose restart`: stop the containers of a project and start them again."""

from __future__ import annotations

from pod.cli.commands.compose_up import TIMEOUT
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def restart(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import life, members, rehearsal
    from pod.compose.project import dependencies

    name, project, found = compose.chosen_members(arguments, engine)
    if project is not None and arguments.words and not arguments.flag("no_deps"):
        # Services that say so are restarted with those that they depend on.
        with_them = {
            other
            for other, service in project.services.items()
            for needed, how in dependencies(service).items()
            if needed in arguments.words and how.get("restart") in {True, "true"}
        }
        known = {member.id for member in found}
        found += [
            member
            for member in members.of_project(engine, name)
            if member.service in with_them and member.id not in known and member.is_running
        ]
    if compose.is_dry_run(arguments):
        return compose.show_lines(rehearsal.of_stop(project, found, "restart"))
    timeout = arguments.number("timeout")
    tell = compose.teller(arguments)
    return compose.report_all(life.restart(engine, project, found, tell, timeout))


COMMAND = Command(
    restart,
    "[OPTIONS] [SERVICE...]",
    description=(
        "Stops the containers of the services and starts them again. Changes in the files have no effect on them: "
        "`pod compose up` is for those."
    ),
    options=(
        Option(("--no-deps",), "flag", "Leave services alone that have restart: true for one of these"),
        TIMEOUT,
        compose.DRY_RUN,
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose restart", "pod compose restart web"),
)  # fmt: skip
