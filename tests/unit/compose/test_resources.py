"""Networks of a compose file: what is made of each key, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pod.compose import project, resources
from pod.compose.errors import FileError
from pod.compose.places import Asked
from pod.spec.networks import Subnet


def arguments(directory: Path, keys: str) -> dict[str, Any]:
    """What `networks.create` would get for a network with these keys."""
    (directory / "compose.yaml").write_text(
        f"services: {{web: {{image: x, networks: [n]}}}}\nnetworks: {{n: {{{keys}}}}}\n"
    )
    found = project.load(Asked(files=(str(directory / "compose.yaml"),)), {})
    return resources.network_arguments(found.networks["n"], None, ("networks", "n"))


@pytest.mark.parametrize(
    ("keys", "name", "expected"),
    [
        ("internal: true", "internal", True),
        ("enable_ipv6: true", "ipv6", True),
        ("driver_opts: {com.docker.network.driver.mtu: 1400}", "mtu", 1400),
        ("driver_opts: {isolate: strict}", "isolate", True),
        ("driver_opts: {com.docker.network.bridge.name: br7}", "interface", "br7"),
        ("ipam: {config: [{subnet: 10.5.0.0/24}]}", "subnets", [Subnet("10.5.0.0/24", "10.5.0.1")]),
        (
            "ipam: {config: [{subnet: 10.5.0.0/24, gateway: 10.5.0.9, ip_range: 10.5.0.128/28}, "
            "{subnet: 'fd00:5::/64'}]}",
            "subnets",
            [Subnet("10.5.0.0/24", "10.5.0.9", "10.5.0.128", "10.5.0.143"), Subnet("fd00:5::/64", "fd00:5::1")],
        ),
        (
            "ipam: {config: [{subnet: 10.5.0.0/24, aux_addresses: {printer: 10.5.0.2, scanner: 10.5.0.3}}]}",
            "subnets",
            [Subnet("10.5.0.0/24", "10.5.0.1", reserved=("10.5.0.2", "10.5.0.3"))],
        ),
    ],
)  # fmt: skip
def test_key_of_a_network(tmp_path: Path, keys: str, name: str, expected: object) -> None:
    assert arguments(tmp_path, keys)[name] == expected


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("driver: macvlan", "only root"),
        ("driver_opts: {vlan: 4}", "there are mtu, isolate"),
        ("enable_ipv4: false", "a network has IPv4 unless"),
        ("ipam: {driver: other}", "pod gives the addresses itself"),
        ("ipam: {options: {a: b}}", "there are none"),
        ("ipam: {config: [{gateway: 10.5.0.1}]}", "the key 'subnet' is missing"),
        ("ipam: {config: [{subnet: 10.5.0.0/24, gateway: 10.6.0.1}]}", "it is not in subnet 10.5.0.0/24"),
        ("ipam: {config: [{subnet: 10.5.0.0/24, aux_addresses: {a: 10.6.0.1}}]}", "it is not in subnet 10.5.0.0/24"),
        ("ipam: {config: [{subnet: 10.5.0.0/24, aux_addresses: {a: 10.5.0.1}}]}", "a meaning of its own"),
        ("ipam: {config: [{subnet: 10.5.0.0/24, aux_addresses: {a: b}}]}", "it is not an address"),
    ],
)  # fmt: skip
def test_what_a_network_cannot_be(tmp_path: Path, keys: str, sentence: str) -> None:
    with pytest.raises(FileError) as raised:
        arguments(tmp_path, keys)
    assert sentence in raised.value.message
