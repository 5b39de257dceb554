"""`pod network reload`: connect running containers to their networks anew."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def reload_networks(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.options import select
    from pod.cli.several import for_each
    from pod.engine import lookup, network_connect
    from pod.state.containers import NoSuchContainer

    ways = [bool(arguments.words), arguments.flag("all"), arguments.flag("latest")]
    if sum(ways) != 1:
        raise UsageError(
            "names, --all or --latest: one of them is needed", hint="pod network reload --help"
        )
    names = arguments.words
    if arguments.flag("all"):
        names = [container.id for container in network_connect.connected(engine)]
    elif arguments.flag("latest"):
        names = [select.latest(engine)]

    def reload(name: str) -> str | None:
        try:
            return network_connect.reload(engine, name)
        except (NoSuchContainer, lookup.NotRunning, lookup.Ended):
            if arguments.flag("all"):
                return None  # it has ended since it was looked up
            raise

    return for_each(names, reload)


COMMAND = Command(
    reload_networks,
    "[OPTIONS] [CONTAINER...]",
    description=(
        "Connects running containers to their networks anew and prints their ids: after the process that holds the "
        "networks was killed, for example. Connections that were open end."
    ),
    options=(
        Option(("-a", "--all"), "flag", "Connect all containers that run and are on networks"),
        Option(("-l", "--latest"), "flag", "Connect the container that was created last"),
    ),
    maximum=None,
    completes=("running",),
    examples=("pod network reload -a", "pod network reload web"),
)
