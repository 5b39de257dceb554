"""`pod network connect`: give a container a place on a network."""

from __future__ import annotations

from pod.base.errors import Unsupported
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.spec.namespaces import Network


def connect_container(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import network_connect
    from pod.state import networks as rows

    name, container = arguments.words
    network = rows.find(engine.database, name)
    network_connect.connect(engine, container, network, place_of(arguments, network.name))


def place_of(arguments: Arguments, name: str) -> Network:
    """The options as those of one --network."""
    from pod.spec.namespace_option import check_place
    from pod.spec.namespaces import Network

    options = [check_place("--alias", "alias", text) for text in arguments.texts("alias")]
    for option, key in (("ip", "ip"), ("ip6", "ip6"), ("mac_address", "mac")):
        if arguments.given(option):
            flag, text = f"--{option.replace('_', '-')}", arguments.text(option) or ""
            options.append(check_place(flag, key, text))
    if arguments.given("link"):
        raise Unsupported(
            "--link", "containers on a network know each other's names", hint="--alias"
        )
    return Network("network", name, tuple(options))


COMMAND = Command(
    connect_container,
    "[OPTIONS] NETWORK CONTAINER",
    description=(
        "Gives a container a place on one more network, while it runs and for all later starts. It must have been "
        "created with a network of its own making."
    ),
    options=(
        Option(("--alias",), "list", "Another name of the container there", metavar="NAME"),
        Option(("--driver-opt",), "list", refused="no network of pod has options for a container"),
        Option(("--gw-priority",), "text", refused="the first network has the way out"),
        Option(("--ip",), "text", "Its address", metavar="ADDRESS"),
        Option(("--ip6",), "text", "Its address of IPv6", metavar="ADDRESS"),
        Option(("--link",), "list", "Other containers are found by name", hidden=True),
        Option(("--link-local-ip",), "list", refused="such addresses come by themselves"),
        Option(("--mac-address",), "text", "Its hardware address", metavar="ADDRESS"),
    ),
    minimum=2,
    maximum=2,
    completes=("network", "container"),
    examples=("pod network connect --alias db backend postgres",),
)
