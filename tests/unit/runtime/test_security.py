"""What of pod/runtime/security.py needs no container; the rest is in tests/integration/runtime."""

from __future__ import annotations

import pytest

from pod.runtime import security
from pod.spec.kernel_options import parse_sysctl


@pytest.mark.parametrize(
    ("option", "path"),
    [
        ("net.ipv4.ip_forward=1", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward=1", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.forwarding=1", "net/ipv4/conf/eth0.100/forwarding"),
        ("net/ipv4/conf/eth0.100/forwarding=1", "net/ipv4/conf/eth0.100/forwarding"),
    ],
)
def test_a_slash_in_the_name_of_a_sysctl_is_a_dot(option: str, path: str) -> None:
    name, _ = parse_sysctl(option)
    assert security.sysctl_path(name) == f"/proc/sys/{path}"


@pytest.mark.parametrize(
    "option", ["net.ipv4...x=1", "net.ipv4.//.x=1", "net/../kernel/x=1", "..=1"]
)
def test_sysctl_cannot_leave_its_directory(option: str) -> None:
    with pytest.raises(Exception, match="--sysctl"):
        parse_sysctl(option)
