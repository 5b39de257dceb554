"""Commands of a build on networks of the caller's own: guests there, since they are no containers with a record."""

from __future__ import annotations

from pod.base.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.build.host import Order
    from pod.build.options import BuildOptions
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig


_OWN = ("", "auto", "private")


def with_networks(engine: Engine, options: BuildOptions) -> BuildOptions:
    """The options with the networks that "bridge" and the configured default stand for.

    Raises NoSuchNetwork, Unsupported for what no command of a build can have.
    """
    networking = options.run.networking
    mode = networking.network.mode or engine.settings.containers.netns
    if mode in (*_OWN, "container", "ns"):
        return options
    from pod.engine import network_places  # few builds are on networks
    from pod.state import networks

    networking = network_places.choose_default(engine, options.run)
    for joined in networking.user_defined:
        networks.find(engine.database, joined.joined)
        for key in ("ip", "ip6", "mac"):
            if joined.values(key):
                raise Unsupported(
                    f"--network {joined}",
                    "several commands of a build may run at once, so each gets an address that is free",
                    hint=f"--network {joined.joined}",
                )
    return options.replace(run=options.run.replace(networking=networking))


def admit(engine: Engine, identifier: str, config: ContainerConfig) -> None:
    """Give the command addresses on its networks, until `dismiss`, or the end of this process."""
    from pod.state import networks

    for joined in config.networking.user_defined:
        networks.admit(engine.database, identifier, joined.joined)


def dismiss(engine: Engine, order: Order) -> None:
    """The command has ended."""
    from pod.state import networks

    networks.dismiss(engine.database, order.network["id"])
