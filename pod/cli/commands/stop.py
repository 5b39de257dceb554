"""`pod stop`: stop running containers."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

TIME = Option(
    ("-t", "--time"),
    "number",
    "Seconds until a container that does not stop is killed; -1 to wait for ever",
    metavar="SECONDS",
    lowest=-1,
    aliases=("--timeout",),
)
SIGNAL = Option(
    ("-s", "--signal"),
    "text",
    "Signal that asks containers to end, instead of their own",
    metavar="SIGNAL",
)


def read_signal(arguments: Arguments) -> int:
    """--signal; 0 for none."""
    text = arguments.text("signal")
    if text is None:
        return 0
    from pod.linux.signals import parse

    return parse(text, "--signal")


def stop_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import at_once
    from pod.engine.stop import stop
    from pod.state import containers

    ignore = arguments.flag("ignore")
    timeout, signal = arguments.number("time"), read_signal(arguments)
    names = select.chosen(arguments, engine, default=lambda it: it.is_running, needs=not ignore)
    by_option = set(names) - set(arguments.words)

    def do(name: str) -> str | None:
        try:
            found = containers.find(engine.database, name)
        except containers.NoSuchContainer:
            if ignore or name in by_option:
                return None
            raise
        stop(engine, found, timeout, signal=signal)
        return name

    return at_once(engine, names, do, "stop a container")


COMMAND = Command(
    stop_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description=(
        "Asks containers to end with their stop signal, SIGTERM unless the image or --stop-signal says otherwise, and "
        "kills those that still run after 10 seconds. One that does not run is fine."
    ),
    options=(
        select.all_option("Stop all running containers"),
        select.CIDFILE,
        select.FILTER,
        select.IGNORE,
        select.LATEST,
        SIGNAL,
        TIME,
    ),
    maximum=None,
    completes=("running",),
    examples=("pod stop web", "pod stop --time 2 web db", "pod stop --all"),
)
