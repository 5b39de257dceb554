"""User-defined networks: made, removed and changed. What connects containers to them is network_connect.py."""

from __future__ import annotations

import time

from pod.base.errors import InvalidValue, PodError
from pod.spec import networks
from pod.spec.networks import NetworkConfig
from pod.state import events
from pod.state import networks as rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pod.engine.context import Engine
    from pod.engine.network_list import Filters
    from pod.spec.networks import Subnet
    from pod.state.containers import Container

_MAX_NAME = 63


class DefaultStays(PodError):
    """The default network is there whether it is used or not."""

    def __init__(self) -> None:
        super().__init__(f"default network {networks.DEFAULT_NAME} cannot be removed")


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
    from pod.base import ids

    if name:
        check_name(name)

    def make(existing: Sequence[NetworkConfig]) -> NetworkConfig:
        by_name = {network.name: network for network in existing}
        if name in by_name:
            raise rows.NetworkExists(name)
        taken = {network.interface for network in existing}
        if interface in taken:
            raise PodError(f"interface '{interface}' is that of another network")
        bridge = interface or _first_free("podman", taken)
        chosen = _subnets(engine, existing, subnets, ipv6=ipv6)
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
    engine.events.append(event(network, "create"))
    return network


def check_name(name: str) -> None:
    """Raise InvalidValue unless a network can have this name."""
    from pod.base import ids

    if name in networks.RESERVED_NAMES or name == networks.DEFAULT_NAME:
        raise InvalidValue("network name", name, "it has a meaning for --network already")
    if not ids.is_name(name) or len(name) > _MAX_NAME:
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
    engine: Engine, existing: Sequence[NetworkConfig], wanted: Sequence[Subnet], *, ipv6: bool
) -> list[Subnet]:
    from netns.backends import addresses
    from pod.linux import interfaces

    taken = [
        (f"network '{network.name}'", subnet.subnet)
        for network in existing
        for subnet in network.subnets
    ]
    taken.append(("pod itself", addresses.NETWORK))
    if wanted:
        direct = interfaces.routed_subnets(without_gateway=True)
        taken += [(f"this machine's interface '{name}'", it) for it, name in direct.items()]
        networks.check_overlaps(wanted, taken)
        chosen = list(wanted)
    else:
        taken += [("this machine", route) for route in interfaces.routed_subnets()]
        pools = engine.settings.network.default_subnet_pools
        chosen = [networks.free_subnet([it for _, it in taken], pools=pools)]
    if ipv6 and not any(networks.is_ipv6(subnet.subnet) for subnet in chosen):
        chosen.append(networks.free_subnet([it for _, it in taken], ipv6=True))
    return chosen


def remove(
    engine: Engine, name: str, *, force: bool = False, timeout_seconds: int | None = None
) -> NetworkConfig:
    """Remove a network that nobody is on; with `force` the containers on it first.

    Raises NoSuchNetwork, NetworkInUse, DefaultStays.
    """
    network = rows.find(engine.database, name)
    if network.name == networks.DEFAULT_NAME:
        raise DefaultStays
    if force:
        from pod.engine import pod_remove
        from pod.engine import remove as removal
        from pod.state import containers, pods

        users = [user.id for user in rows.users(engine.database, network.name)]
        for user in containers.by_ids(engine.database, users):
            pod = pods.by_id(engine.database, user.config.pod) if user.config.is_infra else None
            if pod is not None:
                pod_remove.remove(engine, pod, force=True, timeout_seconds=timeout_seconds)
                continue
            removal.remove(
                engine, user, force=True, with_volumes=True, timeout_seconds=timeout_seconds
            )
    if rows.remove(engine.database, network.name):
        engine.events.append(event(network, "remove"))
    return network


def prune(engine: Engine, filters: Filters | None = None) -> list[str]:
    """Remove the networks that nobody is on and that the filters choose; their names."""
    from pod.engine.network_list import all_networks

    removed = []
    for network in all_networks(engine, filters):
        try:
            remove(engine, network.name)
        except (rows.NetworkInUse, rows.NoSuchNetwork, DefaultStays):
            continue
        removed.append(network.name)
    return removed


def update(
    engine: Engine, name: str, *, add: Sequence[str] = (), drop: Sequence[str] = ()
) -> NetworkConfig:
    """Add name servers to a network and take others off, at once for the containers that run on it.

    Raises NoSuchNetwork, PodError for a network without names.
    """
    from netns.holder import client, protocol
    from pod.engine.network_places import directory

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
        client.tell(directory(engine), protocol.UPDATE, network.name, servers)
        # Two commands at once may tell it in another order than they wrote.
        latest = rows.find(engine.database, network.name)
        if latest.dns_servers == network.dns_servers:
            return network
        network = latest


def event(
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
