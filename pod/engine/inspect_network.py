"""The document about a network, as podman's `network inspect` has it, with docker's names beside."""

from __future__ import annotations

from pod.base.times import rfc3339
from pod.engine import network_places
from pod.state import networks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.networks import NetworkConfig, Subnet
    from pod.state.containers import Container

NOT_FOUND = (networks.NoSuchNetwork,)


def document(engine: Engine, text: str, *, size: bool = False) -> dict[str, Any]:
    """Everything about the network `text`. `size` is for containers alone. Raises NoSuchNetwork."""
    return describe(engine, networks.find(engine.database, text))


def describe(engine: Engine, network: NetworkConfig) -> dict[str, Any]:
    """The document of a network, with the containers that have a place on it."""
    found = summary(network)
    found["containers"] = {
        user.id: {
            "name": user.name,
            "interfaces": {"eth": {"subnets": [{"ipnet": address} for address in user.addresses]}},
        }
        for user in networks.users(engine.database, network.name)
    }
    return found


def summary(network: NetworkConfig) -> dict[str, Any]:
    """The part that does not depend on containers."""
    return {
        "name": network.name,
        "id": network.id,
        "driver": network.driver,
        "network_interface": network.interface,
        "created": rfc3339(network.created_ns),
        "subnets": [_subnet(subnet) for subnet in network.subnets],
        "ipv6_enabled": network.ipv6,
        "internal": network.internal,
        "dns_enabled": network.dns,
        **({"network_dns_servers": list(network.dns_servers)} if network.dns_servers else {}),
        **({"labels": dict(network.labels)} if network.labels else {}),
        **({"options": dict(network.options)} if network.options else {}),
        "ipam_options": {"driver": "host-local"},
    }


def _subnet(subnet: Subnet) -> dict[str, Any]:
    found: dict[str, Any] = {"subnet": subnet.subnet, "gateway": subnet.gateway}
    if subnet.first:
        found["lease_range"] = {"start_ip": subnet.first, "end_ip": subnet.last}
    return found


def places(engine: Engine, container: Container, *, is_running: bool) -> dict[str, Any]:
    """A container's places on networks, by the networks' names, as `inspect` of a container shows them."""
    known, found = network_places.places_of(engine, container)
    shown: dict[str, Any] = {}
    for network, place in zip(known, found, strict=True):
        document: dict[str, Any] = {
            "EndpointID": "",
            "Gateway": "",
            "IPAddress": "",
            "IPPrefixLen": 0,
            "IPv6Gateway": "",
            "GlobalIPv6Address": "",
            "GlobalIPv6PrefixLen": 0,
            "MacAddress": place["mac"] if is_running else "",
            "NetworkID": network.name,
            "DriverOpts": None,
            "IPAMConfig": None,
            "Links": None,
            "Aliases": [*place["aliases"], container.id[:12]],
        }
        if is_running:
            for one in place["addresses"]:
                address, _, bits = one.partition("/")
                six = ":" in address
                document["GlobalIPv6Address" if six else "IPAddress"] = address
                document["GlobalIPv6PrefixLen" if six else "IPPrefixLen"] = int(bits)
            for subnet in network.subnets:
                document["IPv6Gateway" if ":" in subnet.subnet else "Gateway"] = subnet.gateway
        shown[network.name] = document
    return shown
