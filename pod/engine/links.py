"""docker's --link: another container of the same network is found by one more name, in /etc/hosts of this container.

Its address is looked up at each start. Links without such a network were docker's way before there were any.
"""

from __future__ import annotations

from pod.base.errors import PodError, UsageError
from pod.engine import lookup
from pod.state import networks as rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig, Networking
    from pod.state.containers import Container


class NotLinked(UsageError):
    """Two containers are on no network together."""

    def __init__(self, other: Container) -> None:
        super().__init__(
            f"--link {other.name}: the two containers are on no network together, where one could find the other",
            hint=f"pod network create NAME, and --network NAME for both; "
            f"or --network container:{other.name}, which is then at localhost",
        )


def look_up(engine: Engine, networking: Networking) -> Networking:
    """The links by id instead of name. Raises NotLinked."""
    found = []
    for link in networking.links:
        name, _, alias = link.rpartition(":")
        other = lookup.container(engine, name)
        if not _shared(engine, networking, _connected(engine, other)):
            raise NotLinked(other)
        found.append(f"{other.id}:{alias}")
    return networking.replace(links=tuple(found))


def entries(engine: Engine, config: ContainerConfig) -> list[tuple[str, str]]:
    """Lines for /etc/hosts, (name, address), of a container that is started."""
    lines = []
    for link in config.networking.links:
        number, _, alias = link.rpartition(":")
        try:
            other = lookup.container(engine, number)
        except PodError as error:
            raise PodError(
                f"the container that --link calls '{alias}' does not exist any more",
                hint="create the container anew, with the link to another one",
            ) from error
        connected = _connected(engine, other)
        leases = rows.leases_of(engine.database, connected.id)
        shared = [it for it in _shared(engine, config.networking, connected) if leases.get(it)]
        if not shared:
            raise NotLinked(other)
        address = leases[shared[0]][0].partition("/")[0]
        lines += [(name, address) for name in dict.fromkeys((alias, other.name, other.id[:12]))]
    return lines


def _connected(engine: Engine, container: Container) -> Container:
    """Whose networks a container is on: its own, or those of the one that it shares them with."""
    while container.config.networking.network.mode == "container":
        container = lookup.container(engine, container.config.networking.network.joined)
    return container


def _shared(engine: Engine, networking: Networking, other: Container) -> list[str]:
    """The names of the networks that both are on."""
    of_other = _names(engine, other.config.networking)
    return [name for name in _names(engine, networking) if name in of_other]


def _names(engine: Engine, networking: Networking) -> list[str]:
    return [rows.find(engine.database, it.joined).name for it in networking.user_defined]
