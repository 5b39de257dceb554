"""`pod wait`: wait until containers stop and print their exit statuses."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_NOT_THERE = "-1"


def wait_for_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine.wait import parse_conditions, wait_for
    from pod.state import containers

    conditions = parse_conditions(arguments.texts("condition"))
    interval = _interval_seconds(arguments.text("interval") or "")
    names = select.chosen(arguments, engine)
    if arguments.flag("exit_first_match"):
        return _wait_for_first(arguments, engine, names, conditions, interval)

    def do(name: str) -> str:
        try:
            found = containers.find(engine.database, name)
        except containers.NoSuchContainer:
            if arguments.flag("ignore"):
                return _NOT_THERE
            raise
        return str(wait_for(engine, found, conditions, interval))

    return for_each(names, do)


def _wait_for_first(
    arguments: Arguments,
    engine: Engine,
    names: list[str],
    conditions: tuple[str, ...],
    interval: float,
) -> int:
    from pod.cli.several import for_each
    from pod.engine.wait import wait_for_first
    from pod.state import containers

    found = []

    def look_up(name: str) -> None:
        try:
            found.append(containers.find(engine.database, name))
        except containers.NoSuchContainer:
            if not arguments.flag("ignore"):
                raise

    status = for_each(names, look_up)
    if not status:
        print(wait_for_first(engine, found, conditions, interval))
    return status


def _interval_seconds(text: str) -> float:
    """A duration; a bare number is milliseconds here, podman-wait(1)."""
    from pod.base.units import SECOND, parse_duration_ns

    spelled = f"{text}ms" if text.isascii() and text.isdigit() else text
    return max(parse_duration_ns(spelled, "--interval") / SECOND, 0.001)


COMMAND = Command(
    wait_for_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description=(
        "Waits until each of the containers has ended, or is in another state that --condition names, and prints their "
        "exit statuses, a line each."
    ),
    options=(
        Option(
            ("--condition",),
            "list",
            "Wait for this: created, running, restarting, exited (stopped), healthy, unhealthy",
            metavar="STATE",
            default=("stopped",),
        ),
        Option(
            ("--exit-first-match",),
            "flag",
            "Wait for the first of the containers, and for it alone",
        ),
        Option(("--ignore",), "flag", "Print -1 for containers that do not exist"),
        Option(
            ("-i", "--interval"),
            "text",
            "How often states other than the end are looked at",
            metavar="DURATION",
            default="250ms",
        ),
        select.LATEST,
    ),
    maximum=None,
    completes=("container",),
    examples=("pod wait job", "pod wait --condition running web"),
)
