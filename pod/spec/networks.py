"""User-defined networks: what `pod network create` is told, and addresses on them.

Source: podman-network-create(1). The ipaddress module, which takes milliseconds to import, is for what few
commands do; every start on a network makes do with the C library's functions.
"""

from __future__ import annotations

import os

from pod.base.errors import InvalidValue, PodError, Unsupported
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from ipaddress import IPv4Network, IPv6Network
    from typing import Any, ClassVar

    IPNetwork = IPv4Network | IPv6Network

DEFAULT_NAME = "podman"
"""The name that the default network has in podman, and which no other network can have."""
RESERVED_NAMES = frozenset(
    {"bridge", "container", "default", "host", "none", "ns", "pasta", "private", "slirp4netns"}
)
_POOLS = (("10.89.0.0/16", 24), ("10.90.0.0/15", 24), ("10.92.0.0/14", 24))
"""Where subnets are taken from when none is given, and how long their prefixes are (containers.conf(5))."""

_TRIES = 100  # a machine may have a route to all such sites, as with some private networks


class Subnet(Record):
    """`first` and `last` bound the addresses that are given automatically; "" for all. No container has `reserved`."""

    subnet: str
    gateway: str
    first: str = ""
    last: str = ""
    reserved: tuple[str, ...] = ()


class NetworkConfig(Record):
    """A network as it was made."""

    id: str
    name: str
    interface: str  # of its bridge
    created_ns: int = 0
    driver: str = "bridge"
    subnets: tuple[Subnet, ...] = ()
    ipv6: bool = False
    internal: bool = False
    isolate: bool = False
    mtu: int = 0
    dns: bool = True
    dns_servers: tuple[str, ...] = ()
    labels: dict[str, str] = {}  # noqa: RUF012  a Record's default is never changed
    options: dict[str, str] = {}  # noqa: RUF012

    nested: ClassVar = {"subnets": Subnet}


class SubnetTaken(PodError):
    """Addresses of a new network that are in use."""


class NoAddressLeft(PodError):
    """All addresses of a subnet are given to containers."""


class AddressUnusable(PodError):
    """An address that was asked for cannot be had."""


def parse_subnet(option: str, text: str, gateway: str = "", ip_range: str = "") -> Subnet:
    """One subnet with its gateway, by default the first address, and the range for automatic addresses.

    `ip_range` is a CIDR block or FIRST-LAST. Raises InvalidValue.
    """
    from ipaddress import ip_address, ip_network

    try:
        network = ip_network(_unscoped(text), strict=False)
    except ValueError:
        raise InvalidValue(option, text, "a subnet is written 10.89.0.0/24 or fd00::/64") from None
    if network.num_addresses < 4:
        raise InvalidValue(option, text, "it has no room for a gateway and a container")
    if _has_a_meaning(network):
        raise InvalidValue(option, text, "these addresses have a meaning of their own")
    if gateway:
        try:
            address = ip_address(_unscoped(gateway))
        except ValueError:
            raise InvalidValue("--gateway", gateway, "it is not an address") from None
        if address not in network:
            raise InvalidValue("--gateway", gateway, f"it is not in subnet {network}")
        if address in _ends(network):
            raise InvalidValue("--gateway", gateway, f"it stands for all of subnet {network}")
    else:
        address = network[1]
    first, last = _range(network, ip_range) if ip_range else ("", "")
    return Subnet(str(network), str(address), first, last)


def parse_driver_options(texts: Iterable[str]) -> dict[str, Any]:
    """All `--opt KEY=VALUE`: "mtu" and "isolate", docker's names too, and what was "given" by its own names."""
    from pod.base.units import parse_boolean, parse_integer

    found: dict[str, Any] = {"given": {}}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise InvalidValue("--opt", text, "KEY=VALUE")
        if key in {"mtu", "com.docker.network.driver.mtu"}:
            found["mtu"] = parse_integer(value, "--opt mtu", 68, 65535)
        elif key == "isolate":
            found["isolate"] = value == "strict" or parse_boolean(value, "--opt isolate")
        elif key == "vlan":
            raise Unsupported("--opt vlan", "only root can use an interface of the host")
        else:
            raise InvalidValue("--opt", text, "one of mtu, isolate")
        found["given"][key] = value
    return found


def with_reserved(option: str, subnet: Subnet, addresses: Iterable[str]) -> Subnet:
    """The subnet with addresses that no container gets: of what is on it besides. Raises InvalidValue."""
    from ipaddress import ip_address, ip_network

    network = ip_network(subnet.subnet)
    found = []
    for text in addresses:
        try:
            address = ip_address(_unscoped(text))
        except ValueError:
            raise InvalidValue(option, text, "it is not an address") from None
        if address not in network:
            raise InvalidValue(option, text, f"it is not in subnet {network}")
        if str(address) == subnet.gateway or address in _ends(network):
            raise InvalidValue(option, text, "it has a meaning of its own there")
        found.append(str(address))
    return subnet.replace(reserved=(*subnet.reserved, *found))


def _unscoped(text: str) -> str:
    """The text, unless it is one of an interface: fe80::1%eth0. Raises ValueError."""
    if "%" in text:
        raise ValueError(text)
    return text


def _has_a_meaning(network: IPNetwork) -> bool:
    """Whether addresses of it are no usual ones of one interface each (RFC 6890)."""
    if network.version == 6 and network[0].ipv4_mapped is not None:
        return True
    return (
        network.is_loopback
        or network.is_multicast
        or network.is_link_local
        or network.is_reserved
        or not int(network[0]) >> (network.max_prefixlen - 8)  # "this host" and the like
    )


def _ends(network: IPNetwork) -> frozenset[object]:
    """The addresses that stand for all of a network: the first one, and with IPv4 the last one."""
    return frozenset((network[0], network[-1]) if network.version == 4 else (network[0],))


def _range(network: IPNetwork, text: str) -> tuple[str, str]:
    from ipaddress import ip_address, ip_network

    try:
        if "-" in text:
            first, last = (ip_address(part.strip()) for part in _unscoped(text).split("-", 1))
        else:
            block = ip_network(text, strict=False)
            first, last = block[0], block[-1]
    except ValueError:
        raise InvalidValue("--ip-range", text, "a CIDR block or FIRST-LAST") from None
    if first not in network or last not in network or int(first) > int(last):
        raise InvalidValue("--ip-range", text, f"it is not in subnet {network}")
    return str(first), str(last)


def check_overlaps(wanted: Sequence[Subnet], others: Iterable[tuple[str, str]]) -> None:
    """Raise SubnetTaken if a subnet overlaps another; `others` are (who has it, subnet)."""
    from ipaddress import ip_network

    taken = [(who, ip_network(text)) for who, text in others]
    for subnet in wanted:
        network = ip_network(subnet.subnet)
        for who, other in taken:
            if network.version == other.version and network.overlaps(other):
                raise SubnetTaken(
                    f"subnet {network} overlaps {other} of {who}",
                    hint="choose another --subnet, or leave it out",
                )
        taken.append(("the same command", network))


def free_subnet(
    others: Iterable[str],
    *,
    ipv6: bool = False,
    pools: Sequence[tuple[str, int]] = _POOLS,
) -> Subnet:
    """A subnet that overlaps none of the others. Raises SubnetTaken when there is none left.

    `pools`: where subnets are taken from, and how long their prefixes are.
    """
    bits = 128 if ipv6 else 32
    taken = [(low, high) for low, high, other in map(_bounds, others) if other == bits]
    for base, length in _sites() if ipv6 else _blocks(pools):
        last = base + (1 << (bits - length)) - 1
        if not any(low <= last and base <= high for low, high in taken):
            return Subnet(f"{_text(base, bits)}/{length}", _text(base + 1, bits))
    raise SubnetTaken(
        "no subnet is left for a network", hint="pod network prune, or give one with --subnet"
    )


def _sites() -> Iterator[tuple[int, int]]:
    """Sites of our own with random bits, as RFC 4193 wants it: address, and prefix length."""
    for _ in range(_TRIES):
        yield (0xFD << 120) | (int.from_bytes(os.urandom(7), "big") << 64), 64


def _blocks(pools: Sequence[tuple[str, int]]) -> Iterator[tuple[int, int]]:
    for pool, length in pools:
        low, high, bits = _bounds(pool)
        for base in range(low, high + 1, 1 << (bits - length)):
            yield base, length


def choose_address(subnet: Subnet, taken: frozenset[str], network: str) -> str:
    """The lowest address that is free for a container. Raises NoAddressLeft."""
    lowest, highest, bits = _bounds(subnet.subnet)
    first = max(_number(subnet.first) if subnet.first else 0, lowest + 1)
    last = min(_number(subnet.last) if subnet.last else highest, highest - (bits == 32))
    for number in range(first, last + 1):  # the last one of IPv4 is for broadcasts
        address = _text(number, bits)
        if address != subnet.gateway and address not in taken and address not in subnet.reserved:
            return address
    raise NoAddressLeft(
        f"network '{network}' has no address left in {subnet.first or subnet.subnet}",
        hint=f"remove containers that use it: pod ps -a --filter network={network}",
    )


def check_address(address: str, config: NetworkConfig) -> str:
    """The address in its usual spelling. Raises AddressUnusable unless a container can have it on the network."""
    from ipaddress import ip_address, ip_network

    wanted = ip_address(address)
    for subnet in config.subnets:
        network = ip_network(subnet.subnet)
        if wanted not in network:
            continue
        if str(wanted) == subnet.gateway or wanted in _ends(network):
            raise AddressUnusable(
                f"address {wanted} of network '{config.name}' is not for containers",
                hint=f"choose another one of {network}",
            )
        if str(wanted) in subnet.reserved:
            raise AddressUnusable(
                f"address {wanted} of network '{config.name}' is kept free for something else",
                hint=f"choose another one of {network}",
            )
        return str(wanted)
    known = ", ".join(subnet.subnet for subnet in config.subnets)
    raise AddressUnusable(f"address {wanted} is not on network '{config.name}' ({known})")


def with_prefix(address: str, config: NetworkConfig) -> str:
    """The address with the prefix length of its subnet."""
    for subnet in config.subnets:
        if is_in(address, subnet):
            return f"{address}/{subnet.subnet.rpartition('/')[2]}"
    raise AddressUnusable(f"address {address} is not on network '{config.name}'")


def is_in(address: str, subnet: Subnet) -> bool:
    """Whether an address is one of the subnet's."""
    lowest, highest, bits = _bounds(subnet.subnet)
    return is_ipv6(address) == (bits == 128) and lowest <= _number(address) <= highest


def _bounds(subnet: str) -> tuple[int, int, int]:
    """The first and the last address of a subnet as numbers, and how many bits an address has."""
    base, _, length = subnet.partition("/")
    bits = 128 if is_ipv6(base) else 32
    lowest = _number(base)
    return lowest, lowest + (1 << (bits - int(length))) - 1, bits


def packed(address: str) -> bytes:
    """The 4 or 16 bytes of an address."""
    import _socket  # a library of its own, and what has addresses in its rows need not work with them

    family = _socket.AF_INET6 if is_ipv6(address) else _socket.AF_INET
    return _socket.inet_pton(family, address)


def _number(address: str) -> int:
    return int.from_bytes(packed(address), "big")


def _text(number: int, bits: int) -> str:
    import _socket

    family = _socket.AF_INET6 if bits == 128 else _socket.AF_INET
    return _socket.inet_ntop(family, number.to_bytes(bits // 8, "big"))


def is_ipv6(address: str) -> bool:
    """Whether an address, or a subnet, is of IPv6."""
    return ":" in address
