"""`pod compose rm`: remove stopped containers of a project."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def remove(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import rehearsal
    from pod.compose.down import stop_in_order
    from pod.compose.making import remove_members

    _, project, found = compose.chosen_members(arguments, engine, one_off=True)
    if compose.is_dry_run(arguments):
        with_running = arguments.flag("stop")
        going = [member for member in found if with_running or not member.is_running]
        return compose.show_lines(rehearsal.of_remove(project, going))
    tell = compose.teller(arguments)
    if arguments.flag("stop"):
        if status := compose.report_all(stop_in_order(engine, project, found, tell)):
            return status
    else:
        found = [member for member in found if not member.is_running]
    if not found:
        print("No stopped containers")
        return 0
    if not arguments.flag("force"):
        from pod.cli.ask import confirmed

        names = ", ".join(member.name for member in found)
        if not confirmed(f"This will remove {names}."):
            return 0
    errors = remove_members(engine, found, tell, with_volumes=arguments.flag("volumes"))
    return compose.report_all(errors)


COMMAND = Command(
    remove,
    "[OPTIONS] [SERVICE...]",
    description="Removes the containers of the services that do not run, those of `run` included.",
    options=(
        Option(("-f", "--force"), "flag", "Do not ask"),
        Option(("-s", "--stop"), "flag", "Stop containers that run first"),
        Option(("-v", "--volumes"), "flag", "Remove the anonymous volumes of the containers, too"),
        Option(("-a", "--all"), "flag", "Remove containers of `run`, too, as is always so", hidden=True),
        compose.DRY_RUN,
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose rm", "pod compose rm --stop --force web"),
)  # fmt: skip
