"""`pod container cleanup`: record the end of containers whose monitor could not, and release what they held."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def clean_up_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine import finish, remove
    from pod.state import containers

    removes = arguments.flag("rm") or arguments.flag("rmi")
    if arguments.flag("rmi") and arguments.flag("all"):
        raise UsageError("--rmi and --all exclude each other")
    names = select.chosen(arguments, engine, default=lambda it: not it.is_running)

    def do(name: str) -> str:
        container, run = finish.refresh(engine, containers.find(engine.database, name))
        if run is not None:
            raise remove.StillRunning(container, run.condition)
        if removes:
            remove.remove(engine, container, with_image=arguments.flag("rmi"))
        return name

    return for_each(names, do)


COMMAND = Command(
    clean_up_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description=(
        "Records the end of containers that do not run and releases what they hold: network helper, cgroup, files of "
        "the run. pod does so by itself with the next command that looks at a container; this is for those who want it "
        "now."
    ),
    options=(
        select.all_option("All containers that do not run"),
        Option(("--exec",), "text", refused="pod keeps no record of commands that exec runs"),
        select.LATEST,
        Option(("--rm",), "flag", "Remove the container afterwards"),
        Option(("--rmi",), "flag", "Remove its image, too, when nothing else uses it"),
        Option(
            ("--stopped-only",), "flag", refused="only containers that do not run are cleaned up"
        ),
    ),
    maximum=None,
    completes=("stopped",),
    examples=("pod container cleanup --all",),
)
