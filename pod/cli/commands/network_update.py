"""`pod network update`: change the name servers of a network."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def update_network(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import networks
    from pod.spec import hosts

    add, drop = (
        [hosts.parse_server(option, text) for text in arguments.texts(name)]
        for option, name in (("--dns-add", "dns_add"), ("--dns-drop", "dns_drop"))
    )
    if not add and not drop:
        raise UsageError(
            "nothing to change: --dns-add or --dns-drop is needed", hint="pod network update --help"
        )
    print(networks.update(engine, arguments.words[0], add=add, drop=drop).name)


COMMAND = Command(
    update_network,
    "[OPTIONS] NETWORK",
    description=(
        "Changes which name servers are asked about names that are not those of containers, at once for the "
        "containers that run on the network, and prints its name."
    ),
    options=(
        Option(("--dns-add",), "comma", "Ask this name server, too", metavar="ADDRESS"),
        Option(("--dns-drop",), "comma", "Ask this name server no more", metavar="ADDRESS"),
    ),
    minimum=1,
    maximum=1,
    completes=("network",),
    examples=("pod network update --dns-add 192.0.2.53 --dns-drop 192.0.2.54 backend",),
)
