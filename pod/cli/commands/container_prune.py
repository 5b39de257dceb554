"""`pod container prune`: remove all containers that do not run."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def prune_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.ask import confirmed
    from pod.cli.several import at_once
    from pod.engine import prune
    from pod.engine.order import waves

    filters = prune.filters(arguments.texts("filter"))
    if not arguments.flag("force") and not confirmed(
        "This will remove all non running containers."
    ):
        return 0

    def do(name: str) -> str | None:
        return name if prune.remove_if_stopped(engine, name) else None

    statuses = [
        at_once(engine, group, do, "remove a container")
        for group in waves(engine, prune.stopped(engine, filters))
    ]
    return max(statuses)


COMMAND = Command(
    prune_containers,
    description=(
        "Removes all containers that do not run, after asking, and prints their ids. Volumes and images stay."
    ),
    options=(
        Option(
            ("--filter",),
            "list",
            "Only those that it lets through: label=, label!= or until=",
            metavar="KEY=VALUE",
        ),
        Option(("-f", "--force"), "flag", "Do not ask"),
    ),
    examples=("pod container prune --force --filter until=24h",),
)
