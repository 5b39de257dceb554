"""`pod restart`: stop containers and start them again."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.commands.stop import SIGNAL, TIME, read_signal
from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def restart_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine.restart import restart
    from pod.state import containers

    if arguments.flag("running"):
        for way, is_used in (("a name", arguments.words), ("--all", arguments.flag("all"))):
            if is_used:
                raise UsageError(f"--running excludes {way}")
        names = select.all_where(arguments, engine, lambda it: it.is_running)
    else:
        names = select.chosen(arguments, engine)
    timeout, signal = arguments.number("time"), read_signal(arguments)

    def do(name: str) -> str:
        restart(engine, containers.find(engine.database, name), timeout, signal=signal)
        return name

    return for_each(names, do)


COMMAND = Command(
    restart_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description=(
        "Stops containers as `pod stop` does and starts them again. One that does not run is only started."
    ),
    options=(
        select.all_option("Restart all containers, and start those that do not run"),
        select.CIDFILE,
        select.FILTER,
        select.LATEST,
        Option(("--running",), "flag", "Restart all containers that run"),
        SIGNAL,
        TIME,
    ),
    maximum=None,
    completes=("container",),
    examples=("pod restart web", "pod restart --time 2 --running"),
)
