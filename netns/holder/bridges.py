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

What may take a while is steps of work.py. See bridge(8), veth(4).
"""

from __future__ import annotations

import _socket
import errno
import os

from netns.holder import children, rules
from netns.holder.links import Links
from netns.holder.protocol import OUTSIDE_INTERFACE
from pod.base import log
from pod.linux import interfaces, syscalls
from pod.linux.namespaces import CLONE_NEWNET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from netns.holder.work import Steps

    Network = dict[str, Any]
    Place = dict[str, Any]

_MARK = 1  # of packets that belong to a connection of our own with a foreign address
_MARK_TABLE = 100


def prepare() -> None:
    """Make a new network namespace ready for bridges. The caller is in it, and its root."""
    interfaces.set_up("lo")
    for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        _set(path, "1")
    # What stays on one bridge is let through anyway, and need not pass the rules for what is forwarded.
    for path in ("bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables"):
        try:
            _set(path, "0")
        except OSError as error:
            log.debug(f"no bridge netfilter to be left out: {error}")
    connection = Links()
    for family in (_socket.AF_INET, _socket.AF_INET6):
        connection.keep_marked(family, _MARK, _MARK_TABLE)
    connection.close()


def add(network: Network, *, at_once: bool) -> Steps:
    """Make a network's bridge; `at_once` as children.links has it."""

    def work(links: Links) -> None:
        links.add_bridge(network["bridge"], network["mtu"])
        for gateway in network["gateways"]:
            links.add_address(gateway, network["bridge"])

    yield from children.links(work, at_once=at_once)


def remove(bridges: list[str]) -> Steps:
    def work(links: Links) -> None:
        for bridge in bridges:
            links.remove(bridge)

    yield from children.links(work)


def connect(
    cable: str, namespace_fd: int, network: Network, place: Place, *, at_once: bool
) -> Steps:
    """Lay a cable from the bridge into a container's network namespace; `cable` is what our end is called.

    `at_once` as children.links has it: this process is in that namespace for a moment then.
    """
    inside = place["interface"]

    def work(links: Links) -> None:
        if place["again"]:
            _remove_old(namespace_fd, inside)
        links.add_cable(
            cable, network["bridge"], inside, namespace_fd, mac=place["mac"], mtu=network["mtu"]
        )
        there = _links_in(namespace_fd)
        try:
            there.set_up("lo")
            for address in place["addresses"]:
                there.add_address(address, inside)
            there.set_up(inside)
            if place["default"]:
                _lead_out(there, network, place)
            there.wait_until_up(inside)
        finally:
            there.close()
        links.wait_until_up(cable)
        links.wait_until_up(network["bridge"], is_bridge=True)

    yield from children.links(work, at_once=at_once)


def _links_in(namespace_fd: int) -> Links:
    """A connection to the kernel about another network namespace, which it stays with; we come back."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(namespace_fd, CLONE_NEWNET)
        try:
            return Links()
        finally:
            syscalls.setns(here, CLONE_NEWNET)
    finally:
        os.close(here)


def _remove_old(namespace_fd: int, name: str) -> None:
    """A holder that was killed may have left its end until the kernel has cleared up."""
    there = _links_in(namespace_fd)
    try:
        there.remove(name)
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
    finally:
        there.close()


def lead_out(namespace_fd: int, network: Network, place: Place) -> Steps:
    """Have the way out of a container go through a network that it is on."""

    def work(_: Links) -> None:
        _lead_out(_links_in(namespace_fd), network, place)

    yield from children.links(work)


def _lead_out(links: Links, network: Network, place: Place) -> None:
    for gateway in () if network["internal"] else network["gateways"]:
        links.lead_out(gateway.partition("/")[0], place["interface"])


def disconnect(cable: str) -> Steps:
    """Take a cable away, at both ends, if it is still there."""

    def work(links: Links) -> None:
        try:
            links.remove(cable)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise  # else it went with the container's network namespace

    yield from children.links(work)


def load_rules(table: rules.Table, networks: Iterable[Network]) -> None:
    """Have the rules for these networks in place of those there were. Raises NetworkError."""
    ours = [rules.Rule().is_ours().mark(_MARK)]
    between, outward = [rules.Rule().is_answer().accept()], []
    for network in networks:
        bridge = network["bridge"]
        between.append(rules.Rule().comes_by(bridge).leaves_by(bridge).accept())
        if network["internal"]:
            between.append(rules.Rule().comes_by(bridge).drop())
            between.append(rules.Rule().leaves_by(bridge).drop())
            continue
        if network["isolate"]:
            between.append(
                rules.Rule().comes_by(bridge).does_not_leave_by(OUTSIDE_INTERFACE).drop()
            )
            between.append(
                rules.Rule().does_not_come_by(OUTSIDE_INTERFACE).leaves_by(bridge).drop()
            )
        for subnet in network["subnets"]:
            outward.append(
                rules.Rule().comes_from(subnet).leaves_by(OUTSIDE_INTERFACE).masquerade()
            )
    chains = [
        rules.Chain("ours", "filter", rules.PREROUTING, rules.MANGLE, ours),
        rules.Chain("between", "filter", rules.FORWARD, rules.FILTER, between),
        rules.Chain("outward", "nat", rules.POSTROUTING, rules.SOURCE_NAT, outward),
    ]
    try:
        table.load(chains)
    except OSError as error:
        raise children.cannot(f"{error.filename}: {error.strerror}") from error


def _set(path: str, value: str) -> None:
    fd = os.open(f"/proc/sys/net/{path}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
