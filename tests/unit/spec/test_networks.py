"""Subnets of networks and the addresses on them, from text to text."""

from __future__ import annotations

import re

import pytest

from pod.base.errors import InvalidValue
from pod.spec import networks
from pod.spec.networks import AddressUnusable, NetworkConfig, NoAddressLeft, Subnet, SubnetTaken


@pytest.mark.parametrize(
    ("text", "subnet"),
    [
        ("10.50.0.0/24", Subnet("10.50.0.0/24", "10.50.0.1")),
        ("10.50.0.77/24", Subnet("10.50.0.0/24", "10.50.0.1")),
        ("10.50.0.4/30", Subnet("10.50.0.4/30", "10.50.0.5")),
        ("10.0.0.0/8", Subnet("10.0.0.0/8", "10.0.0.1")),
        ("FD00:0:0::/64", Subnet("fd00::/64", "fd00::1")),
        ("fd00::/126", Subnet("fd00::/126", "fd00::1")),
    ],
)
def test_subnets(text: str, subnet: Subnet) -> None:
    assert networks.parse_subnet("--subnet", text) == subnet


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "10.50.0.0", "10.50.0.0/33", "10.50.0/24", "10.50.0.0/-1", "10.50.0.0/31",
        "10.50.0.0/24/24", "fd00::/129", "fd00::/127", "fd00::%eth0/64", "::ffff:10.0.0.0/120",
        "0.0.0.0/0", "::/0", "0.0.0.0/8", "127.0.0.0/8", "127.0.0.0/24", "224.0.0.0/24",
        "169.254.0.0/16", "fe80::/64", "ff00::/64", "240.0.0.0/24",
    ],
)  # fmt: skip
def test_what_is_no_subnet_for_containers(text: str) -> None:
    with pytest.raises(InvalidValue, match=f"^--subnet '{re.escape(text)}' is not valid"):
        networks.parse_subnet("--subnet", text)


@pytest.mark.parametrize(
    ("subnet", "gateway", "found"),
    [
        ("10.50.0.0/24", "10.50.0.254", "10.50.0.254"),
        ("fd00::/64", "FD00:0::FE", "fd00::fe"),
    ],
)
def test_gateways(subnet: str, gateway: str, found: str) -> None:
    assert networks.parse_subnet("--subnet", subnet, gateway).gateway == found


@pytest.mark.parametrize(
    ("subnet", "gateway"),
    [
        ("10.50.0.0/24", "10.50.1.1"),
        ("10.50.0.0/24", "fd00::1"),
        ("10.50.0.0/24", "10.50.0.0"),
        ("10.50.0.0/24", "10.50.0.255"),
        ("10.50.0.0/24", "router"),
        ("10.50.0.0/24", "10.50.0.1/24"),
        ("fd00::/64", "fd00::"),
        ("fd00::/64", "fd00::1%eth0"),
    ],
)
def test_what_is_no_gateway(subnet: str, gateway: str) -> None:
    with pytest.raises(InvalidValue, match=f"^--gateway '{re.escape(gateway)}' is not valid"):
        networks.parse_subnet("--subnet", subnet, gateway)


@pytest.mark.parametrize(
    ("subnet", "text", "bounds"),
    [
        ("10.50.0.0/24", "10.50.0.64/26", ("10.50.0.64", "10.50.0.127")),
        ("10.50.0.0/24", "10.50.0.0/24", ("10.50.0.0", "10.50.0.255")),
        ("10.50.0.0/24", "10.50.0.9-10.50.0.12", ("10.50.0.9", "10.50.0.12")),
        ("10.50.0.0/24", "10.50.0.9 - 10.50.0.9", ("10.50.0.9", "10.50.0.9")),
        ("fd00::/64", "fd00::10-fd00::20", ("fd00::10", "fd00::20")),
    ],
)
def test_ranges(subnet: str, text: str, bounds: tuple[str, str]) -> None:
    found = networks.parse_subnet("--subnet", subnet, ip_range=text)
    assert (found.first, found.last) == bounds


@pytest.mark.parametrize(
    "text",
    [
        "10.50.1.0/26", "10.50.0.0/23", "10.50.0.12-10.50.0.9", "10.50.0.9-10.50.1.9",
        "10.50.0.9-fd00::9", "fd00::/64", "10.50.0.9-", "-", "10.50.0.9-10", "many",
        "10.50.0.1-10.50.0.2-10.50.0.3",
    ],
)  # fmt: skip
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(InvalidValue, match=f"^--ip-range '{re.escape(text)}' is not valid"):
        networks.parse_subnet("--subnet", "10.50.0.0/24", ip_range=text)


@pytest.mark.parametrize(
    ("wanted", "others"),
    [
        (["10.50.0.0/24"], ["10.50.0.0/24"]),
        (["10.50.0.0/16"], ["10.50.7.0/24"]),
        (["10.50.7.0/24"], ["10.50.0.0/16"]),
        (["10.51.0.0/24", "fd00::/64"], ["10.50.0.0/24", "fd00::/48"]),
        (["10.50.0.0/24", "10.50.0.128/25"], []),
    ],
)
def test_overlaps(wanted: list[str], others: list[str]) -> None:
    subnets = [networks.parse_subnet("--subnet", text) for text in wanted]
    with pytest.raises(SubnetTaken, match="overlaps"):
        networks.check_overlaps(subnets, [("network 'x'", other) for other in others])


def test_no_overlaps() -> None:
    subnets = [networks.parse_subnet("--subnet", it) for it in ("10.50.0.0/24", "fd00::/64")]
    networks.check_overlaps(subnets, [("x", "10.50.1.0/24"), ("y", "fd00:0:0:1::/64")])


@pytest.mark.parametrize(
    ("others", "found"),
    [
        ([], "10.89.0.0/24"),
        (["10.89.0.0/24", "10.89.2.0/24", "fd00::/8"], "10.89.1.0/24"),
        (["10.89.0.9/32"], "10.89.1.0/24"),
        (["10.89.0.0/16"], "10.90.0.0/24"),
        (["10.88.0.0/14"], "10.92.0.0/24"),
    ],
)
def test_free_subnets(others: list[str], found: str) -> None:
    assert networks.free_subnet(others) == networks.parse_subnet("--subnet", found)


def test_no_subnet_is_free() -> None:
    with pytest.raises(SubnetTaken, match="no subnet is left"):
        networks.free_subnet(["10.0.0.0/8"])


def test_no_subnet_of_ipv6_is_free() -> None:
    """As where a private network routes all sites of that kind."""
    with pytest.raises(SubnetTaken, match="no subnet is left"):
        networks.free_subnet(["fc00::/7"], ipv6=True)


def test_a_free_subnet_of_ipv6_is_a_site_of_our_own() -> None:
    one, other = (networks.free_subnet(["10.0.0.0/8"], ipv6=True) for _ in range(2))
    assert one.subnet != other.subnet
    assert one.subnet.startswith("fd")
    assert one.subnet.endswith("/64")
    assert networks.is_in(one.gateway, one)


SMALL = Subnet("10.50.0.0/29", "10.50.0.1")
SIX = Subnet("fd00::/125", "fd00::1")


@pytest.mark.parametrize(
    ("subnet", "free"),
    [
        (SMALL, [2, 3, 4, 5, 6]),
        (Subnet("10.50.0.0/29", "10.50.0.4"), [1, 2, 3, 5, 6]),
        (Subnet("10.50.0.0/29", "10.50.0.1", "10.50.0.4", "10.50.0.5"), [4, 5]),
        (Subnet("10.50.0.0/29", "10.50.0.1", "10.50.0.0", "10.50.0.7"), [2, 3, 4, 5, 6]),
        (Subnet("10.50.0.0/29", "10.50.0.1", "10.50.0.1", "10.50.0.1"), []),
        (SIX, [2, 3, 4, 5, 6, 7]),
        (Subnet("fd00::/125", "fd00::1", "fd00::", "fd00::2"), [2]),
    ],
)
def test_addresses_are_given_from_the_lowest_to_the_last(subnet: Subnet, free: list[int]) -> None:
    given: list[str] = []
    with pytest.raises(NoAddressLeft, match="network 'back' has no address left"):
        while True:
            given.append(networks.choose_address(subnet, frozenset(given), "back"))
    prefix = "fd00::" if networks.is_ipv6(subnet.subnet) else "10.50.0."
    assert given == [f"{prefix}{number}" for number in free]


BOTH = NetworkConfig("1", "back", "podman1", subnets=(SMALL, SIX))


@pytest.mark.parametrize(
    ("address", "found"),
    [("10.50.0.2", "10.50.0.2/29"), ("FD00:0::7", "fd00::7/125"), ("10.50.0.6", "10.50.0.6/29")],
)
def test_addresses_that_can_be_had(address: str, found: str) -> None:
    assert networks.with_prefix(networks.check_address(address, BOTH), BOTH) == found


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.50.0.0", "is not for containers"),
        ("10.50.0.1", "is not for containers"),
        ("10.50.0.7", "is not for containers"),
        ("fd00::", "is not for containers"),
        ("fd00::1", "is not for containers"),
        ("10.50.0.8", "is not on network 'back'"),
        ("fd00::8", "is not on network 'back'"),
    ],
)
def test_addresses_that_cannot_be_had(address: str, why: str) -> None:
    with pytest.raises(AddressUnusable, match=f"{address} .*{why}"):
        networks.check_address(address, BOTH)


def test_a_network_comes_back_as_it_was() -> None:
    config = BOTH.replace(dns_servers=("192.0.2.1",), labels={"a": "b"}, options={"mtu": "9000"})
    assert NetworkConfig.from_json(config.to_json()) == config
