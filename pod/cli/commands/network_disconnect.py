"""`pod network disconnect`: take a container off a network."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def disconnect_container(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import network_connect
    from pod.state import containers
    from pod.state import networks as rows

    name, container = arguments.words
    network = rows.find(engine.database, name)
    try:
        network_connect.disconnect(engine, container, network)
    except containers.NoSuchContainer:
        if not arguments.flag("force"):
            raise


COMMAND = Command(
    disconnect_container,
    "[OPTIONS] NETWORK CONTAINER",
    description="Takes a container off a network, while it runs and for all later starts.",
    options=(
        Option(("-f", "--force"), "flag", "Say nothing about a container that does not exist"),
    ),
    minimum=2,
    maximum=2,
    completes=("network", "container"),
    examples=("pod network disconnect backend postgres",),
)
