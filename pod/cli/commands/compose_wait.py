"""`pod compose wait`: wait until services end."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.cli.declare import Arguments
    from pod.compose.members import Member
    from pod.engine.context import Engine


def wait_for(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import down, schedule
    from pod.engine import wait
    from pod.state import containers

    name, project, found = compose.chosen_members(arguments, engine)
    found = [member for member in found if member.is_running or member.state == "exited"]
    if not found:
        raise PodError(
            f"no container of project '{name}' runs or has ended", hint="pod compose ps --all"
        )

    if compose.is_dry_run(arguments):
        from pod.compose import rehearsal

        lines = [rehearsal.line(it.service, "wait for", it.name) for it in found]
        if arguments.flag("down_project"):
            lines += rehearsal.of_down(engine, name, project, down.DownOptions())
        return compose.show_lines(lines)

    def task(member: Member) -> Callable[[], int]:
        def run() -> int:
            rows = containers.by_ids(engine.database, [member.id])
            return wait.wait(engine, rows[0]) if rows else 0

        return run

    tasks = {member.id: task(member) for member in found}
    results = schedule.run(engine, tasks, {}, "wait for a container", most=len(tasks))
    for member in found:
        result = results[member.id]
        if isinstance(result, Exception):
            raise result
        print(f"container '{member.name}' exited with status code {result}")
    status = next((int(result) for result in results.values() if result), 0)
    if arguments.flag("down_project"):
        tell = compose.teller(arguments)
        status = (
            compose.report_all(down.down(engine, name, project, down.DownOptions(), tell)) or status
        )
    return status


COMMAND = Command(
    wait_for,
    "[OPTIONS] SERVICE [SERVICE...]",
    description=(
        "Waits until all containers of the services have ended, and says how; one that has ended already is not waited "
        "for. The exit status is the first of theirs that is not 0."
    ),
    options=(
        Option(("--down-project",), "flag", "Take the project down then"),
        compose.DRY_RUN,
    ),
    minimum=1,
    maximum=None,
    completes=("service",),
    examples=("pod compose wait migrate",),
)
