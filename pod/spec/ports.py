"""Published and exposed ports: the grammars of -p and --expose, conflicts between them, and their JSON for `inspect`.

Source: podman-run(1), "--publish", "--expose"; docker's reference of the same options.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, Unsupported, UsageError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PROTOCOLS = ("tcp", "udp")
_HIGHEST = 65535
_EVERYWHERE = frozenset(("", "0.0.0.0", "::"))


class PortMapping(Record):
    """`count` ports from `container_port` on, reached through as many from `host_port` on.

    A `host_port` of 0 asks for a free one for each; a `host_ip` of "" is every address of the host. Containers of one
    `group` on networks share the port: each connection goes to the next of them.
    """

    container_port: int
    host_port: int = 0
    host_ip: str = ""
    count: int = 1
    protocol: str = "tcp"
    group: str = ""

    def __str__(self) -> str:
        where = (
            f"[{self.host_ip}]:"
            if ":" in self.host_ip
            else f"{self.host_ip}:"
            if self.host_ip
            else ""
        )
        host = (
            f"{_range_text(self.host_port, self.count)}:"
            if self.host_port
            else ":"
            if where
            else ""
        )
        return f"{where}{host}{_range_text(self.container_port, self.count)}/{self.protocol}"


class PortConflict(UsageError):
    """One port of the host cannot lead to two places."""

    def __init__(self, port: int, first: PortMapping, second: PortMapping) -> None:
        super().__init__(
            f"the host's port {port}/{first.protocol} is published twice: '{first}' and '{second}'"
        )


def parse_port(text: str) -> tuple[PortMapping, ...]:
    """`-p [[IP:][HOST_PORT]:]CONTAINER_PORT[/PROTOCOL]`, one mapping for each protocol ('80/tcp,udp').

    Both ports can be ranges, of the same length. An IPv6 address is in brackets.
    """
    option = "--publish"
    address, rest = _split_address(option, text)
    rest, slash, protocol_text = rest.partition("/")
    host_text, _, container_text = rest.rpartition(":")
    if ":" in host_text:
        if address is not None:
            raise InvalidValue(option, text, "[[IP:][HOST_PORT]:]CONTAINER_PORT[/PROTOCOL]")
        address, _, host_text = host_text.partition(":")
        if ":" in host_text:
            raise InvalidValue(
                option, text, "an IPv6 address is written in brackets: [::1]:8080:80"
            )
        check_ipv4(option, text, address)  # an empty one too: '::80' may have been meant as IPv6
    container, count = _parse_range(option, text, container_text)
    host = 0
    if host_text and host_text != "0":
        host, host_count = _parse_range(option, text, host_text)
        if host_count != count:
            raise InvalidValue(
                option,
                text,
                f"{host_count} ports of the host cannot lead to {count} of the container",
            )
    protocols = _parse_protocols(option, text, protocol_text if slash else "tcp")
    return tuple(PortMapping(container, host, address or "", count, name) for name in protocols)


def parse_expose(text: str, option: str = "--expose") -> PortMapping:
    """`--expose PORT[-PORT][/PROTOCOL]`, and the keys of an image's `ExposedPorts`; the host's port is 0."""
    ports, slash, protocol = text.partition("/")
    port, count = _parse_range(option, text, ports)
    protocols = _parse_protocols(option, text, protocol if slash else "tcp")
    if len(protocols) != 1:
        raise InvalidValue(option, text, "one protocol, tcp or udp")
    return PortMapping(port, count=count, protocol=protocols[0])


def merge_ports(mappings: Iterable[PortMapping]) -> tuple[PortMapping, ...]:
    """The mappings without repetitions. Raises PortConflict when a host port would lead to two places."""
    merged: list[PortMapping] = []
    for mapping in mappings:
        if mapping in merged:
            continue
        for other in merged:
            if (port := _common_port(mapping, other)) is not None:
                raise PortConflict(port, other, mapping)
        merged.append(mapping)
    return tuple(merged)


def publish_all(
    exposed: Iterable[PortMapping], published: Iterable[PortMapping]
) -> tuple[PortMapping, ...]:
    """-P: the published ports, and each exposed port that is not among them on a free port of the host."""
    mappings = list(published)
    done = {
        (mapping.container_port + offset, mapping.protocol)
        for mapping in mappings
        for offset in range(mapping.count)
    }
    for item in exposed:
        for port in range(item.container_port, item.container_port + item.count):
            if (port, item.protocol) not in done:
                done.add((port, item.protocol))
                mappings.append(PortMapping(port, protocol=item.protocol))
    return tuple(mappings)


def port_bindings(
    mappings: Iterable[PortMapping], exposed: Iterable[PortMapping] = (), *, any_address: str = ""
) -> dict[str, list[dict[str, str]] | None]:
    """As `inspect` has it: {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}; null for one that is only exposed.

    `any_address` is what stands for every address: "" in HostConfig.PortBindings, "0.0.0.0" in NetworkSettings.Ports.
    """
    bindings: dict[str, list[dict[str, str]] | None] = {}
    for item in exposed:
        for port in range(item.container_port, item.container_port + item.count):
            bindings[f"{port}/{item.protocol}"] = None
    for mapping in mappings:
        for offset in range(mapping.count):
            key = f"{mapping.container_port + offset}/{mapping.protocol}"
            host_port = str(mapping.host_port + offset) if mapping.host_port else ""
            binding = {"HostIp": mapping.host_ip or any_address, "HostPort": host_port}
            bindings[key] = [*(bindings.get(key) or ()), binding]
    return bindings


def check_ipv4(option: str, text: str, address: str) -> None:
    """Raise InvalidValue unless `address` has four numbers up to 255, without leading zeros."""
    numbers = address.split(".")
    if len(numbers) != 4 or not all(_is_byte(number) for number in numbers):
        raise InvalidValue(option, text, f"'{address}' is not an IP address")


def check_ipv6(option: str, text: str, address: str) -> str:
    """The short spelling of the IPv6 address `address`, without a zone."""
    from ipaddress import IPv6Address  # heavy

    try:
        parsed = IPv6Address(address)
    except ValueError as error:
        raise InvalidValue(option, text, f"'{address}' is not an IPv6 address") from error
    if parsed.scope_id is not None:
        raise InvalidValue(option, text, "a zone such as %eth0 is not allowed here")
    return str(parsed)


def _split_address(option: str, text: str) -> tuple[str | None, str]:
    """The IPv6 address in brackets that `text` begins with, and what follows its colon."""
    if not text.startswith("["):
        return None, text
    address, bracket, rest = text[1:].partition("]")
    if not bracket or not rest.startswith(":"):
        raise InvalidValue(option, text, "[IPV6]:[HOST_PORT]:CONTAINER_PORT[/PROTOCOL]")
    if ":" not in rest[1:]:
        raise InvalidValue(
            option, text, "after an address come two colons: [::1]::80 or [::1]:8080:80"
        )
    return check_ipv6(option, text, address), rest[1:]


def _parse_range(option: str, text: str, ports: str) -> tuple[int, int]:
    """The first port of '80' or '8000-8010', and how many there are."""
    first, dash, last = ports.partition("-")
    low = _port(first)
    high = _port(last) if dash else low
    if low is None or high is None or high < low:
        raise InvalidValue(
            option, text, f"a port is a number from 1 to {_HIGHEST}, or a range such as 8000-8010"
        )
    return low, high - low + 1


def _port(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= _HIGHEST:
        return int(text)
    return None


def _parse_protocols(option: str, text: str, names: str) -> list[str]:
    protocols: list[str] = []
    for name in names.lower().split(","):
        if name == "sctp":
            raise Unsupported(
                f"{option} with the protocol sctp",
                "neither pasta nor slirp4netns can forward it",
                hint="use --network=host",
            )
        if name not in PROTOCOLS or name in protocols:
            raise InvalidValue(option, text, "the protocol is tcp or udp")
        protocols.append(name)
    return protocols


def _common_port(one: PortMapping, other: PortMapping) -> int | None:
    """The first host port that both would take."""
    if not one.host_port or not other.host_port or one.protocol != other.protocol:
        return None
    if one.host_ip != other.host_ip and not (_EVERYWHERE & {one.host_ip, other.host_ip}):
        return None
    first = max(one.host_port, other.host_port)
    end = min(one.host_port + one.count, other.host_port + other.count)
    return first if first < end else None


def _range_text(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first}-{first + count - 1}"


def _is_byte(text: str) -> bool:
    return (
        text.isascii()
        and text.isdigit()
        and len(text) <= 3
        and text == str(int(text))
        and int(text) < 256
    )
