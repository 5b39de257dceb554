"""Containers that run, and networks: connected, disconnected, and connected anew when the holder was killed."""

from __future__ import annotations

from contextlib import contextmanager

from netns.holder import protocol
from pod.base import locks, log
from pod.base.errors import PodError
from pod.engine import lookup, namefiles
from pod.engine.network_places import ask, directory, names_of, places_of, plain
from pod.engine.networks import event
from pod.spec.namespaces import Network
from pod.state import containers
from pod.state import networks as rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pod.engine.context import Engine
    from pod.spec.networks import NetworkConfig
    from pod.state.containers import Container


def connect(engine: Engine, name: str, network: NetworkConfig, place: Network) -> None:
    """Give a container a place on one more network, at once if it runs. `place` has the options alone."""
    with locked(engine, name) as container:
        _connect(engine, container, network, place)
    engine.events.append(event(network, "connect", container))


def _connect(engine: Engine, container: Container, network: NetworkConfig, place: Network) -> None:
    networking = container.config.networking
    if not networking.can_join:
        raise PodError(
            f"container '{container.name}' was made for no network that others can be added to",
            hint=f"create it again with --network {network.name}",
        )
    if any(joined.joined == network.name for joined in networking.user_defined):
        raise PodError(f"container '{container.name}' is on network '{network.name}' already")
    before = namefiles.texts(engine, container)
    wanted = [*place.values("ip"), *place.values("ip6")]
    rows.lease(engine.database, container.id, network.name, wanted)
    joined = place.replace(mode="network", joined=network.name)
    first, *more = (*networking.user_defined, joined)
    changed = networking.replace(network=first, more_networks=tuple(more))
    try:
        config = container.config.replace(networking=changed)
        container = container.replace(config=config)
        if container.status == "active":
            known, places = places_of(engine, container)
            if not joined.values("interface_name"):
                places[-1]["interface"] = ""  # the holder knows which names are free
            ask(engine, protocol.JOIN, container.id, plain(known[-1]), places[-1])
        containers.set_config(engine.database, container.id, config)
    except BaseException:
        rows.give_back(engine.database, container.id, network.name)
        raise
    namefiles.follow(engine, container, before)


def disconnect(engine: Engine, name: str, network: NetworkConfig) -> None:
    """Take a container off a network, at once if it runs."""
    with locked(engine, name) as container:
        _disconnect(engine, container, network)
    engine.events.append(event(network, "disconnect", container))


def _disconnect(engine: Engine, container: Container, network: NetworkConfig) -> None:
    networking = container.config.networking
    left = tuple(it for it in networking.user_defined if it.joined != network.name)
    if len(left) == len(networking.user_defined):
        raise PodError(f"container '{container.name}' is not on network '{network.name}'")
    before = namefiles.texts(engine, container)
    if container.status == "active":
        ask(engine, protocol.LEAVE, container.id, network.name)
    first = left[0] if left else Network("network")
    changed = networking.replace(network=first, more_networks=left[1:])
    config = container.config.replace(networking=changed)
    containers.set_config(engine.database, container.id, config)
    rows.give_back(engine.database, container.id, network.name)
    namefiles.follow(engine, container.replace(config=config), before)


@contextmanager
def locked(engine: Engine, name: str) -> Iterator[Container]:
    """The container with this name or id, and its lock while the context lasts. Raises NoSuchContainer."""
    found = lookup.container(engine, name)
    with locks.FileLock(engine.paths.container_lock(found.id)):
        if not containers.by_ids(engine.database, [found.id]):
            raise containers.NoSuchContainer(name)  # it was removed while we waited
        yield lookup.container(engine, found.id)


def tell_name(engine: Engine, container: Container) -> None:
    """Have a container that runs on networks be found by its name, a new one."""
    from netns.holder import client

    client.tell(directory(engine), protocol.RENAME, container.id, names_of(engine, container))


def reload(engine: Engine, name: str) -> str:
    """Connect a running container to its networks anew, with its ports; its id."""
    from netns.backends.networks import Places

    with locked(engine, name) as container:
        _, run = lookup.running(engine, container.id, paused=True)
        if not container.config.networking.can_join:
            raise PodError(f"container '{container.name}' is on no network that could be reloaded")
        from pod.engine import network

        settings = network.settings_for(engine, container, again=True)
        settings["holder"]["container_pid"] = run.pid
        for place in settings["places"]:
            place["again"] = True
        places = Places(settings)
        try:
            with lookup.WhileItRuns(container, run):
                places.release()
                places.connect(run.pid, run.pid)
        finally:
            places.close()
    return container.id


def connected(engine: Engine) -> list[Container]:
    """The containers that run and are on networks, or can be connected to some."""
    return [
        container
        for container in containers.active(engine.database)
        if container.config.networking.can_join
    ]


def clear_up(engine: Engine) -> None:
    """End what a holder that was killed has left, and tell whose networks it held."""
    from netns.holder import client

    if not client.clear_up(directory(engine)):
        if client.was_outside_killed(directory(engine)):
            log.warning(
                "the program that connects networks with the world was killed; "
                "start another one with: pod network reload -a"
            )
        return
    left = [container.name for container in connected(engine)]
    if left:
        log.warning(
            f"the process that held the networks of {', '.join(left)} was killed; "
            "connect them again with: pod network reload -a"
        )


def end_holder(engine: Engine) -> None:
    """End the process that holds the networks, whoever is on them."""
    from netns.holder import client

    client.end(directory(engine))
