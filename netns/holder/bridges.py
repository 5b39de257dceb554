"""Bridges, the cables from them to containers, and the rules between them: what is in the holder's network namespace.

A *network* is plain data as pod/engine/networks.py gives it:

    name        what people call it
    bridge      name of its interface here
    gateways    the bridge's addresses, each with its prefix length: ["10.89.0.1/24", "fd00::1/64"]
    subnets     ["10.89.0.0/24", ...]
    mtu         0 for the usual
    internal    whether its containers reach nothing outside of it
    isolate     whether its containers reach no other network
    dns         whether names are answered on its gateways

A *place* is how one container is on it:

    network     name
    interface   its name in the container
    addresses   with prefix length
    mac         "" for any
    aliases     names besides the container's own
    default     whether the way out goes through it
    again       whether it may be there already

What takes a program is steps of work.py. See ip-link(8), ip-batch, nft(8).
"""

from __future__ import annotations

import os

from netns.holder import programs
from pod.linux import interfaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from netns.holder.work import Steps

    Network = dict[str, Any]
    Place = dict[str, Any]

OUTSIDE = "out0"
"""The interface to the world."""
_MARK = 1  # of packets that belong to a connection of our own with a foreign address
_MARK_TABLE = 100


def prepare() -> Steps:
    """Make a new network namespace ready for bridges. The caller is in it, and its root."""
    interfaces.set_up("lo")
    for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        _set(path, "1")
    marked = [
        f"rule add fwmark {_MARK} lookup {_MARK_TABLE}",
        f"route add local default dev lo table {_MARK_TABLE}",
    ]
    yield from programs.ip(marked)
    yield from programs.ip(marked, family="-6")


def add(network: Network) -> Steps:
    """Make a network's bridge."""
    bridge = network["bridge"]
    mtu = [f"link set dev {bridge} mtu {network['mtu']}"] if network["mtu"] else []
    yield from programs.ip(
        [
            f"link add name {bridge} type bridge",
            *mtu,
            *(
                f"addr add {gateway} dev {bridge}{_at_once(gateway)}"
                for gateway in network["gateways"]
            ),
            f"link set dev {bridge} up",
        ]
    )


def remove(bridge: str) -> Steps:
    yield from programs.ip([f"link del dev {bridge}"])


def connect(cable: str, namespace_fd: int, network: Network, place: Place) -> Steps:
    """Lay a cable from the bridge into a container's network namespace; `cable` is what our end is called."""
    inside = place["interface"]
    mac = f" address {place['mac']}" if place["mac"] else ""
    mtu = f" mtu {network['mtu']}" if network["mtu"] else ""
    if place["again"]:
        # A holder that was killed may have left its end until the kernel has cleared up.
        yield from programs.ip([f"link del dev {inside}"], namespace_fd, may_fail=True)
    there = f"/proc/{os.getpid()}/fd/{namespace_fd}"
    yield from programs.ip(
        [
            f"link add name {cable}{mtu} type veth peer name {inside}{mac}{mtu} netns {there}",
            f"link set dev {cable} master {network['bridge']} up",
        ]
    )
    lines = [
        "link set dev lo up",
        *(f"addr add {one} dev {inside}{_at_once(one)}" for one in place["addresses"]),
        f"link set dev {inside} up",
    ]
    if place["default"]:
        lines += _way_out(network, place)
    yield from programs.ip(lines, namespace_fd)


def lead_out(namespace_fd: int, network: Network, place: Place) -> Steps:
    """Have the way out of a container go through a network that it is on."""
    yield from programs.ip(_way_out(network, place), namespace_fd)


def _way_out(network: Network, place: Place) -> list[str]:
    lines = []
    for gateway in () if network["internal"] else network["gateways"]:
        address = gateway.partition("/")[0]
        everything = "::/0" if ":" in address else "0.0.0.0/0"
        lines.append(f"route add {everything} via {address} dev {place['interface']}")
    return lines


def disconnect(cable: str) -> Steps:
    """Take a cable away, at both ends."""
    yield from programs.ip([f"link del dev {cable}"])


def write_rules(networks: Iterable[Network]) -> Steps:
    """The rules for these networks, in place of those there were."""
    forward, outward = [], []
    for network in networks:
        bridge = network["bridge"]
        forward.append(f'iifname "{bridge}" oifname "{bridge}" accept')
        if network["internal"]:
            forward.append(f'iifname "{bridge}" drop')
            forward.append(f'oifname "{bridge}" drop')
            continue
        if network["isolate"]:
            forward.append(f'iifname "{bridge}" oifname != "{OUTSIDE}" drop')
            forward.append(f'iifname != "{OUTSIDE}" oifname "{bridge}" drop')
        for subnet in network["subnets"]:
            family = "ip6" if ":" in subnet else "ip"
            outward.append(f'{family} saddr {subnet} oifname "{OUTSIDE}" masquerade')
    yield from programs.nft(_rules(forward, outward))


def _rules(forward: list[str], outward: list[str]) -> str:
    """One table, which is empty, removed and made again in one transaction, nft(8)."""
    chains = {
        "ours": (
            "type filter hook prerouting priority mangle",
            [f"socket transparent 1 meta mark set {_MARK}"],
        ),
        "between": (
            "type filter hook forward priority filter",
            ["ct state established,related accept", *forward],
        ),
        "outward": ("type nat hook postrouting priority srcnat", outward),
    }
    lines = ["table inet pod", "delete table inet pod", "table inet pod {"]
    for name, (head, rules) in chains.items():
        lines += [f"chain {name} {{", f"{head};", *rules, "}"]
    return "\n".join([*lines, "}"]) + "\n"


def _at_once(address: str) -> str:
    """Nobody else can have an address of ours, so that it need not be asked for first (RFC 4862, 5.4)."""
    return " nodad" if ":" in address else ""


def _set(path: str, value: str) -> None:
    fd = os.open(f"/proc/sys/net/{path}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
