"""The networks, ports and names of a service: the part of its configuration that is about the net."""

from __future__ import annotations

from pod.compose import identity
from pod.compose.errors import FileError
from pod.compose.reading import is_true
from pod.spec import namespace_option
from pod.spec.namespaces import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.compose.reading import Reading
    from pod.compose.service import Names
    from pod.spec.container import ContainerConfig, Networking
    from pod.spec.ports import PortMapping


def of_service(reading: Reading, base: ContainerConfig, names: Names, number: int) -> Networking:
    """What the containers of a service are connected to, what is published, and whom they know by name.

    Raises FileError.
    """
    from pod.spec import hosts

    service = reading.service
    changes: dict[str, Any] = {}
    mode = service.get("network_mode")
    if mode:
        changes["network"] = reading.of("network_mode", lambda value: _mode(value, names))
    else:
        first, *more = _networks(reading)
        changes |= {"network": first, "more_networks": tuple(more)}
    if service.get("ports"):
        changes["ports"] = _ports(reading, number)
    if service.get("expose"):
        from pod.spec.ports import parse_expose

        changes["expose"] = reading.of("expose", lambda value: tuple(map(parse_expose, value)))
    for key, field, parse in (
        ("dns", "dns", hosts.parse_dns),
        ("dns_search", "dns_search", hosts.parse_dns_search),
        ("dns_opt", "dns_options", str),
    ):
        if service.get(key):
            changes[field] = tuple(reading.at((key,), parse, text) for text in service[key])
    if service.get("extra_hosts"):
        changes["hosts"] = reading.of(
            "extra_hosts",
            lambda value: tuple(
                hosts.parse_added_host(f"{host}:{address}")
                for host, addresses in value.items()
                for address in addresses
            ),
        )
    links = [_link(entry, names) for entry in service.get("links") or ()]
    for entry in service.get("external_links") or ():
        target, _, alias = entry.partition(":")
        links.append(f"{target}:{alias or target}")
    if links:
        changes["links"] = tuple(reading.at(("links",), hosts.parse_link, link) for link in links)
    networking = base.networking.replace(**changes)
    if networking.network.mode in {"host", "none", "container", "ns"} and networking.ports:
        raise reading.wrong(
            "ports", f"nothing can be published with network_mode: {mode}, which has no network of its own"
        )  # fmt: skip
    return networking


def _mode(value: str, names: Names) -> Network:
    if value.startswith("service:"):
        return Network("container", names(value.partition(":")[2]))
    return namespace_option.parse_network(value)


def _link(entry: str, names: Names) -> str:
    service, _, alias = entry.partition(":")
    return f"{names(service)}:{alias or service}"


def _networks(reading: Reading) -> list[Network]:
    """The networks in the order in which they are connected: the default gateway is on the first."""
    project, service = reading.project, reading.service
    found = identity.networks_of(project, reading.name)

    def order(key: str) -> tuple[float, float, str]:
        how = found[key] or {}
        return (-float(how.get("gw_priority", 0)), -float(how.get("priority", 0)), key)

    result = []
    for key in sorted(found, key=order):
        how = found[key] or {}
        options = []
        if is_true(how.get("use_service_name_alias", True)):
            options.append(f"alias={reading.name}")
        options += [f"alias={alias}" for alias in how.get("aliases") or ()]
        places = {
            "ipv4_address": "ip", "ipv6_address": "ip6", "mac_address": "mac", "interface_name": "interface_name",
        }  # fmt: skip
        how = {"mac_address": service.get("mac_address"), **how}
        for word, option in places.items():
            if how.get(word):
                options.append(
                    reading.at(
                        ("networks", key), namespace_option.check_place, word, option, how[word]
                    )
                )
        name = (
            project.name_of("networks", key)
            if key in project.networks
            else f"{project.name}_default"
        )
        text = f"{name}:{','.join(options)}" if options else name
        result.append(reading.at(("networks", key), namespace_option.parse_network, text))
    return result


def _ports(reading: Reading, number: int) -> tuple[PortMapping, ...]:
    from pod.spec.ports import PortMapping, check_ipv4, check_ipv6

    found = []
    for index, port in enumerate(reading.service["ports"]):
        address = port.get("host_ip", "")
        published = port.get("published", "")
        group = (
            f"{reading.project.name}/{reading.name}" if published and "-" not in published else ""
        )
        if reading.service.get("network_mode"):
            if group and number > 1:
                raise _one_only(reading, index, port, number)
            group = ""
        if port["protocol"] == "sctp":
            raise reading.refused("ports", "ports are tcp or udp", "", index)
        if ":" in address:
            reading.at(("ports", index), check_ipv6, "host_ip", address, address)
        elif address:
            reading.at(("ports", index), check_ipv4, "host_ip", address, address)
        found.append(
            PortMapping(
                int(port["target"]),
                _published(published, address, port["protocol"], number),
                address,
                1,
                port["protocol"],
                group,
            )
        )
    return tuple(found)


def _one_only(reading: Reading, index: int, port: Any, number: int) -> FileError:
    published = port["published"]
    return FileError(
        reading.place("ports"),
        ("services", reading.name, "ports", index),
        f"port {published} of this machine can lead to one container with a network_mode, not to {number}",
        hint=f'networks, on which they share it; or a range, of which each takes one: "{published}-'
        f'{int(published) + 9}:{port["target"]}"',
    )


def _published(text: str, address: str, protocol: str, number: int) -> int:
    """A port of the host; of a range the first that is free from the place of this container on."""
    if not text:
        return 0
    low, _, high = text.partition("-")
    if not high:
        return int(low)
    import socket

    ports = list(range(int(low), int(high) + 1))
    start = (number - 1) % len(ports)
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    for port in ports[start:] + ports[:start]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((address or "0.0.0.0", port))
            except OSError:
                continue
        return port
    return ports[start]  # the start says that it is taken
