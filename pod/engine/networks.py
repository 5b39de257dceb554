"""User-defined networks: made, removed, and given to containers."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

from netns.backends import addresses
from netns.holder import protocol
from pod.base import ids, locks, log, paths
from pod.base.errors import InvalidValue, PodError, Unsupported
from pod.engine import lookup
from pod.linux import idmap
from pod.spec import namespaces, networks
from pod.spec.networks import NetworkConfig
from pod.state import containers, events
from pod.state import networks as rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from pod.engine.context import Engine
    from pod.engine.network_list import Filters
    from pod.spec.namespaces import Network
    from pod.spec.networks import Subnet
    from pod.state.containers import Container

_MAX_NAME = 63


def create(
    engine: Engine,
    name: str = "",
    *,
    subnets: Sequence[Subnet] = (),
    ipv6: bool = False,
    internal: bool = False,
    isolate: bool = False,
    mtu: int = 0,
    dns: bool = True,
    dns_servers: Sequence[str] = (),
    interface: str = "",
    labels: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    ignore: bool = False,
) -> NetworkConfig:
    """Make a network; without subnets, one that nobody uses is chosen, with `ipv6` one of each family.

    With `ignore`, one that exists already is fine. Raises NetworkExists, SubnetTaken, InvalidValue.
    """
    if name:
        check_name(name)

    def make(existing: Sequence[NetworkConfig]) -> NetworkConfig:
        by_name = {network.name: network for network in existing}
        if name in by_name:
            raise rows.NetworkExists(name)
        interfaces = {network.interface for network in existing}
        if interface in interfaces:
            raise PodError(f"interface '{interface}' is that of another network")
        bridge = interface or _first_free("podman", interfaces)
        chosen = _subnets(existing, subnets, ipv6=ipv6)
        return NetworkConfig(
            id=ids.new_id(),
            name=name or _first_free("podman", set(by_name)),
            interface=bridge,
            created_ns=time.time_ns(),
            subnets=tuple(chosen),
            ipv6=any(networks.is_ipv6(subnet.subnet) for subnet in chosen),
            internal=internal,
            isolate=isolate,
            mtu=mtu,
            dns=dns,
            dns_servers=tuple(dns_servers),
            labels=dict(labels or {}),
            options=dict(options or {}),
        )

    try:
        network = rows.create(engine.database, make)
    except rows.NetworkExists:
        if ignore:
            return rows.find(engine.database, name)
        raise
    engine.events.append(_event(network, "create"))
    return network


def check_name(name: str) -> None:
    """Raise InvalidValue unless a network can have this name."""
    if name in networks.RESERVED_NAMES or name == networks.DEFAULT_NAME:
        raise InvalidValue("network name", name, "it has a meaning for --network already")
    if not namespaces.is_network_name(name) or len(name) > _MAX_NAME:
        raise InvalidValue(
            "network name",
            name,
            f"up to {_MAX_NAME} letters, digits, '_', '.' and '-', beginning with a letter or digit",
        )


def _first_free(prefix: str, taken: set[str]) -> str:
    number = 1
    while f"{prefix}{number}" in taken:
        number += 1
    return f"{prefix}{number}"


def _subnets(
    existing: Sequence[NetworkConfig], wanted: Sequence[Subnet], *, ipv6: bool
) -> list[Subnet]:
    taken = [
        (f"network '{network.name}'", subnet.subnet)
        for network in existing
        for subnet in network.subnets
    ]
    taken.append(("pod itself", addresses.NETWORK))
    if wanted:
        networks.check_overlaps(wanted, taken)
        chosen = list(wanted)
    else:
        taken += [("this machine", route) for route in _routes()]
        chosen = [networks.free_subnet([it for _, it in taken])]
    if ipv6 and not any(networks.is_ipv6(subnet.subnet) for subnet in chosen):
        chosen.append(networks.free_subnet([it for _, it in taken], ipv6=True))
    return chosen


def _routes() -> list[str]:
    """The subnets that this machine has routes to; /proc/net/route is in hexadecimal, the least byte first."""
    found = []
    with open("/proc/net/route", encoding="ascii") as file:
        for line in list(file)[1:]:
            fields = line.split()
            destination, mask = int(fields[1], 16), int(fields[7], 16)
            if mask:
                octets = ".".join(str(byte) for byte in destination.to_bytes(4, "little"))
                found.append(f"{octets}/{mask.bit_count()}")
    return found


def remove(
    engine: Engine, name: str, *, force: bool = False, timeout_seconds: int | None = None
) -> NetworkConfig:
    """Remove a network that nobody is on; with `force` the containers on it first.

    Raises NoSuchNetwork, NetworkInUse.
    """
    network = rows.find(engine.database, name)
    if force:
        from pod.engine import remove as removal

        users = [user.id for user in rows.users(engine.database, network.name)]
        for user in containers.by_ids(engine.database, users):
            removal.remove(
                engine, user, force=True, with_volumes=True, timeout_seconds=timeout_seconds
            )
    if rows.remove(engine.database, network.name):
        engine.events.append(_event(network, "remove"))
    return network


def prune(engine: Engine, filters: Filters | None = None) -> list[str]:
    """Remove the networks that nobody is on and that the filters choose; their names."""
    from pod.engine.network_list import all_networks

    removed = []
    for network in all_networks(engine, filters):
        try:
            remove(engine, network.name)
        except (rows.NetworkInUse, rows.NoSuchNetwork):
            continue
        removed.append(network.name)
    return removed


def update(
    engine: Engine, name: str, *, add: Sequence[str] = (), drop: Sequence[str] = ()
) -> NetworkConfig:
    """Add name servers to a network and take others off, at once for the containers that run on it.

    Raises NoSuchNetwork, PodError for a network without names.
    """
    from netns.holder import client

    def make(network: NetworkConfig) -> NetworkConfig:
        if not network.dns:
            raise PodError(
                f"network '{network.name}' asks no name servers: it was made with --disable-dns"
            )
        left = [server for server in network.dns_servers if server not in drop]
        return network.replace(dns_servers=tuple(dict.fromkeys([*left, *add])))

    network = rows.change(engine.database, rows.find(engine.database, name).name, make)
    while True:
        servers = list(network.dns_servers)
        client.tell(_directory(engine), protocol.UPDATE, network.name, servers)
        # Two commands at once may tell it in another order than they wrote.
        latest = rows.find(engine.database, network.name)
        if latest.dns_servers == network.dns_servers:
            return network
        network = latest


def connect(engine: Engine, name: str, network: NetworkConfig, place: Network) -> None:
    """Give a container a place on one more network, at once if it runs. `place` has the options alone."""
    with locked(engine, name) as container:
        _connect(engine, container, network, place)
    engine.events.append(_event(network, "connect", container))


def _connect(engine: Engine, container: Container, network: NetworkConfig, place: Network) -> None:
    networking = container.config.networking
    if networking.network.mode != "network":
        raise PodError(
            f"container '{container.name}' was made for no network that others can be added to",
            hint=f"create it again with --network {network.name}",
        )
    if any(joined.joined == network.name for joined in networking.user_defined):
        raise PodError(f"container '{container.name}' is on network '{network.name}' already")
    wanted = [*place.values("ip"), *place.values("ip6")]
    rows.lease(engine.database, container.id, network.name, wanted)
    joined = place.replace(mode="network", joined=network.name)
    changed = networking.replace(more_networks=(*networking.more_networks, joined))
    try:
        config = container.config.replace(networking=changed)
        container = container.replace(config=config)
        if container.status == "active":
            known, places = places_of(engine, container)
            if not joined.values("interface_name"):
                places[-1]["interface"] = ""  # the holder knows which names are free
            places[-1]["default"] = False
            _ask(engine, protocol.JOIN, container.id, _plain(known[-1]), places[-1])
        containers.set_config(engine.database, container.id, config)
    except BaseException:
        rows.give_back(engine.database, container.id, network.name)
        raise


def disconnect(engine: Engine, name: str, network: NetworkConfig) -> None:
    """Take a container off a network, at once if it runs."""
    with locked(engine, name) as container:
        _disconnect(engine, container, network)
    engine.events.append(_event(network, "disconnect", container))


def _disconnect(engine: Engine, container: Container, network: NetworkConfig) -> None:
    networking = container.config.networking
    left = tuple(it for it in networking.user_defined if it.joined != network.name)
    if len(left) == len(networking.user_defined):
        raise PodError(f"container '{container.name}' is not on network '{network.name}'")
    if container.status == "active":
        _ask(engine, protocol.LEAVE, container.id, network.name)
    first = left[0] if left else namespaces.Network("none")
    changed = networking.replace(network=first, more_networks=left[1:])
    config = container.config.replace(networking=changed)
    containers.set_config(engine.database, container.id, config)
    rows.give_back(engine.database, container.id, network.name)


@contextmanager
def locked(engine: Engine, name: str) -> Iterator[Container]:
    """The container with this name or id, and its lock while the context lasts. Raises NoSuchContainer."""
    found = lookup.container(engine, name)
    with locks.FileLock(engine.paths.container_lock(found.id)):
        yield lookup.container(engine, found.id)


def _event(
    network: NetworkConfig, status: str, container: Container | None = None
) -> dict[str, Any]:
    return events.event(
        "network",
        status,
        object_id=container.id if container else "",
        name=network.name,
        network=network.name,
        attributes=network.labels,
    )


def end_holder(engine: Engine) -> None:
    """End the process that holds the networks, whoever is on them."""
    from netns.holder import client

    client.end(_directory(engine))


def clear_up(engine: Engine) -> None:
    """End what a holder that was killed has left, and tell whose networks it held."""
    from netns.holder import client

    if not client.clear_up(_directory(engine)):
        return
    left = [container.name for container in connected(engine)]
    if left:
        log.warning(
            f"the process that held the networks of {', '.join(left)} was killed; "
            "connect them again with: pod network reload -a"
        )


def connected(engine: Engine) -> list[Container]:
    """The containers that run and are on networks."""
    return [
        container
        for container in containers.all_of(engine.database)
        if container.status == "active" and container.config.networking.user_defined
    ]


def reload(engine: Engine, name: str) -> str:
    """Connect a running container to its networks anew, with its ports; its id."""
    from netns.backends.networks import Places

    with locked(engine, name) as container:
        _, run = lookup.running(engine, container.id, paused=True)
        if not container.config.networking.user_defined:
            raise PodError(f"container '{container.name}' is on no network that could be reloaded")
        from pod.engine import network

        settings = network.settings_for(engine, container, again=True)
        settings["holder"]["container_pid"] = run.pid
        for place in settings["places"]:
            place["again"] = True
        places = Places(settings)
        try:
            places.release()
            places.connect(run.pid, run.pid)
        finally:
            places.close()
    return container.id


def _directory(engine: Engine) -> str:
    return f"{engine.paths.runroot}/networks"


def _ask(engine: Engine, *request: Any) -> None:
    """One request to the holder that runs. Raises NetworkError when there is none."""
    from netns.holder import client

    channel = client.connect(_directory(engine))
    if channel is None:
        raise client.lost()
    try:
        client.ask(channel, *request)
    finally:
        channel.close()


def settings_for(engine: Engine, container: Container) -> dict[str, Any]:
    """What netns.attach needs besides the usual for a container on networks; see netns/backends/networks.py."""
    if os.geteuid() == 0:
        raise Unsupported("a user-defined network", "pod has them for ordinary users only")
    if container.config.runtime not in {"", "pod"}:
        raise Unsupported(
            f"--runtime {container.config.runtime} with a user-defined network",
            "only pod's own runtime makes such containers",
        )
    known, places = places_of(engine, container)
    servers = container.config.networking.dns or engine.settings.containers.dns_servers
    return {
        "backend": "networks",
        "id": container.id,
        "names": _names(container),
        "servers": [it for it in servers if it != "none"],
        "networks": [_plain(network) for network in known],
        "places": places,
        "holder": holder_settings(engine),
    }


def holder_settings(engine: Engine) -> dict[str, Any]:
    """What netns/holder/client.py needs to find the holder or start one."""
    from pod.engine import network

    directory = _directory(engine)
    paths.make_private(engine.paths.runroot)
    paths.make_private(directory)
    _, program = network.choose_backend(engine, "pasta")
    return {
        "directory": directory,
        "maps": idmap.default_maps(),
        "program": program,
        "options": list(engine.settings.network.pasta_options),
    }


def places_of(
    engine: Engine, container: Container
) -> tuple[list[NetworkConfig], list[dict[str, Any]]]:
    """The networks a container is on, and its place on each."""
    known, places = [], []
    leases = rows.leases_of(engine.database, container.id)
    has_way_out = False
    for number, joined in enumerate(container.config.networking.user_defined):
        network = rows.find(engine.database, joined.joined)
        leased = leases.get(network.name) or rows.lease(
            engine.database,
            container.id,
            network.name,
            [*joined.values("ip"), *joined.values("ip6")],
        )
        is_default = not network.internal and not has_way_out
        has_way_out = has_way_out or is_default
        known.append(network)
        places.append(
            {
                "network": network.name,
                "interface": next(iter(joined.values("interface_name")), f"eth{number}"),
                "addresses": [networks.with_prefix(it, network) for it in leased],
                "mac": next(iter(joined.values("mac")), "") or _mac_of(container, network),
                "aliases": joined.values("alias"),
                "default": is_default,
                "again": False,
            }
        )
    return known, places


def _mac_of(container: Container, network: NetworkConfig) -> str:
    """A hardware address that stays the same, locally administered (IEEE 802, bits of the first byte)."""
    mixed = int(container.id[:10], 16) ^ int(network.id[:10], 16)
    return ":".join(["92", *(f"{byte:02x}" for byte in mixed.to_bytes(5, "big"))])


def address_and_resolver(engine: Engine, container: Container) -> tuple[str, str]:
    """A container's first address, and who answers its questions about names: the first gateway that does.

    On networks without names it is the outside helper, which asks the host's resolver.
    """
    known, places = places_of(engine, container)
    address: str = places[0]["addresses"][0].partition("/")[0]
    for network in known:
        if network.dns:
            return address, network.subnets[0].gateway
    return address, addresses.RESOLVER


def tell_name(engine: Engine, container: Container) -> None:
    """Have a container that runs on networks be found by its name, a new one."""
    from netns.holder import client

    client.tell(_directory(engine), protocol.RENAME, container.id, _names(container))


def _names(container: Container) -> list[str]:
    """The names by which a container is found on every network."""
    names = (container.name, container.id[:12], container.config.hostname)
    return list(dict.fromkeys(filter(None, names)))


def _plain(network: NetworkConfig) -> dict[str, Any]:
    """A network as netns/holder/bridges.py wants it."""
    return {
        "name": network.name,
        "bridge": network.interface,
        "gateways": [networks.with_prefix(subnet.gateway, network) for subnet in network.subnets],
        "subnets": [subnet.subnet for subnet in network.subnets],
        "mtu": network.mtu,
        "internal": network.internal,
        "isolate": network.isolate,
        "dns": network.dns,
        "dns_servers": list(network.dns_servers),
    }
