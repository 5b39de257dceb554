"""`pod network prune`: remove the networks that no container is on."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def prune_networks(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import networks
    from pod.engine.network_list import Filters

    filters = Filters(engine, arguments.texts("filter")) if arguments.given("filter") else None
    if not arguments.flag("force"):
        from pod.cli.ask import confirmed

        if not confirmed("All networks that no container is on, running or not, will be removed."):
            return
    for name in networks.prune(engine, filters):
        print(name)


COMMAND = Command(
    prune_networks,
    "[OPTIONS]",
    description="Removes the networks that no container is on, running or not. Asks before.",
    options=(
        Option(
            ("--filter",),
            "list",
            "Remove only those that are so, such as label=app=web",
            metavar="KEY=VALUE",
        ),
        Option(("-f", "--force"), "flag", "Do not ask"),
    ),
    examples=("pod network prune", "pod network prune --force --filter until=24h"),
)
