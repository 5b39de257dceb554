"""The holder by itself: 250 network namespaces on one network, answers while it works, and its end."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import struct
from collections.abc import Generator
from pathlib import Path
from typing import Any

import dnslib
import pytest

from netns.errors import NetworkError
from netns.holder import client, protocol
from netns.holder.starting import Starting
from pod.linux import idmap, processes, sockets, syscalls
from pod.linux.namespaces import CLONE_NEWNET, CLONE_NEWUSER
from tests.support.waiting import until

MANY = 250
GATEWAY = "10.77.0.1"
SIOCGIFHWADDR = 0x8927  # netdevice(7)
NETWORK: dict[str, Any] = {
    "name": "back",
    "bridge": "podman1",
    "gateways": [f"{GATEWAY}/24"],
    "subnets": ["10.77.0.0/24"],
    "mtu": 0,
    "internal": False,
    "isolate": False,
    "dns": True,
    "dns_servers": [],
}


def enter_user(pid: int) -> None:
    fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    syscalls.setns(fd, CLONE_NEWUSER)
    os.close(fd)


class Namespaces:
    """Processes with network namespaces inside the holder's user namespace; all end with `close`."""

    def __init__(self, holder: int, count: int) -> None:
        self._holder = holder
        self.pids: list[int] = []
        wait_fd, self._write_fd = os.pipe()
        told_fd, tell_fd = os.pipe()

        def stay() -> None:
            enter_user(self._holder)
            for _ in range(count):
                pid = os.fork()
                if pid == 0:
                    syscalls.unshare(CLONE_NEWNET)
                    os.write(tell_fd, os.getpid().to_bytes(4, "big"))
                    os.read(wait_fd, 1)
                    os._exit(0)
            os.close(tell_fd)
            os.read(wait_fd, 1)

        self._parent = processes.fork(stay, what="hold networks", keep={wait_fd, tell_fd})
        os.close(wait_fd)
        os.close(tell_fd)
        for _ in range(count):
            self.pids.append(int.from_bytes(os.read(told_fd, 4), "big"))
        os.close(told_fd)

    def ask(self, pid: int, name: str) -> list[str]:
        """The addresses behind a name, from one of the namespaces."""

        def inside() -> list[str]:
            network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            enter_user(self._holder)
            syscalls.setns(network, CLONE_NEWNET)
            packet = bytes(dnslib.DNSRecord.question(name).pack())
            asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            asker.settimeout(5)
            for _ in range(5):
                asker.sendto(packet, (GATEWAY, 53))
                try:
                    return [str(it.rdata) for it in dnslib.DNSRecord.parse(asker.recv(65535)).rr]
                except TimeoutError:
                    continue
            raise AssertionError(f"no answer about '{name}'")

        found: list[str] = processes.fork(inside, what="ask").result()
        return found

    def close(self) -> None:
        os.close(self._write_fd)
        self._parent.result()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    program = processes.find_program("slirp4netns")
    assert program is not None
    return {
        "directory": str(tmp_path),
        "maps": idmap.default_maps(),
        "backend": "slirp4netns",
        "program": program,
        "options": [],
        "cgroup": "",
        "scope": {},
    }


@pytest.fixture
def few_descriptors() -> Generator[None]:
    """As many as a process may have without asking for more; not enough for two of each of MANY."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def holder(settings: dict[str, Any]) -> Generator[sockets.Channel]:
    channel = client.ensure(settings)
    pid = channel.peer()
    started = processes.start_time(pid)
    assert started is not None
    yield channel
    channel.close()
    client.end(settings["directory"])
    assert processes.wait_until_gone(pid, started)
    left = {it for it in os.listdir(settings["directory"]) if it != "cgroup"}
    assert left <= {protocol.LOCK}


def attach(channel: sockets.Channel, pid: int, number: int) -> None:
    place = {
        "network": "back",
        "interface": "eth0",
        "addresses": [f"10.77.0.{number + 2}/24"],
        "mac": "",
        "aliases": ["all"],
        "default": True,
        "again": False,
    }
    process_fd = os.pidfd_open(pid)
    try:
        names = [f"m{number}"]
        client.ask(
            channel, protocol.ATTACH, pid, f"{number:064x}", names, [], [NETWORK], [place], [],
            fds=(process_fd,),
        )  # fmt: skip
    finally:
        os.close(process_fd)


def connected(channel: sockets.Channel) -> int:
    return len(client.ask(channel, protocol.STATUS)[0]["containers"])


@pytest.mark.timeout(600)  # 4 s where nothing else runs; each cable waits for all processors
def test_250_on_one_network(few_descriptors: None, holder: sockets.Channel) -> None:
    namespaces = Namespaces(holder.peer(), MANY)
    try:
        for number, pid in enumerate(namespaces.pids):
            attach(holder, pid, number)
        assert connected(holder) == MANY
        assert namespaces.ask(namespaces.pids[0], f"m{MANY - 1}") == [f"10.77.0.{MANY + 1}"]
        assert namespaces.ask(namespaces.pids[-1], "m0.dns.podman") == ["10.77.0.2"]
    finally:
        namespaces.close()
    until(lambda: not client.ask(holder, protocol.STATUS)[0]["networks"], "disconnected", 250)
    assert connected(holder) == 0


def test_a_bridge_keeps_its_hardware_address(holder: sockets.Channel) -> None:
    """Containers would go on to speak to the one that it had before."""

    keeper = holder.peer()

    def seen() -> bytes:
        def inside() -> bytes:
            network = os.open(f"/proc/{keeper}/ns/net", os.O_RDONLY)
            enter_user(keeper)
            syscalls.setns(network, CLONE_NEWNET)
            request = struct.pack("16s256x", NETWORK["bridge"].encode())
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                return fcntl.ioctl(sock, SIOCGIFHWADDR, request)[18:24]

        found: bytes = processes.fork(inside, what="look at the bridge").result()
        return found

    first, others = Namespaces(keeper, 1), Namespaces(keeper, 4)
    found = []
    try:
        for number, pid in enumerate([*first.pids, *others.pids]):
            attach(holder, pid, number)
            found.append(seen())
    finally:
        first.close()
    try:
        until(lambda: connected(holder) == 4, "disconnected")
        found.append(seen())
    finally:
        others.close()
    assert len(set(found)) == 1
    until(lambda: not client.ask(holder, protocol.STATUS)[0]["networks"], "disconnected")


def test_one_that_cannot_be_connected_is_no_harm(holder: sockets.Channel) -> None:
    namespaces = Namespaces(holder.peer(), 1)
    try:
        attach(holder, namespaces.pids[0], 0)
        assert namespaces.ask(namespaces.pids[0], "m0") == ["10.77.0.2"]
        with pytest.raises((NetworkError, PermissionError)):
            attach(holder, os.getpid(), 1)  # whose network namespace is not one inside the holder's
        assert namespaces.ask(namespaces.pids[0], "m0") == ["10.77.0.2"]
        assert connected(holder) == 1
    finally:
        namespaces.close()


def begin(settings: dict[str, Any]) -> Starting:
    """A holder that is started."""
    started = client.begin(settings)
    assert isinstance(started, Starting)
    return started


def test_nothing_is_left_of_a_start_that_is_abandoned(settings: dict[str, Any]) -> None:
    begin(settings).abandon()
    assert os.listdir(settings["directory"]) == [protocol.LOCK]
    client.ensure(settings).close()


def test_nothing_is_left_when_the_world_cannot_be_reached(settings: dict[str, Any]) -> None:
    settings["program"] = "/bin/false"
    starting = begin(settings)
    channel = starting.listen()
    pid = channel.peer()
    started = processes.start_time(pid)
    assert started is not None
    with pytest.raises(NetworkError, match="slirp4netns could not connect"):
        starting.finish(channel)
    channel.close()
    assert processes.wait_until_gone(pid, started)
    assert os.listdir(settings["directory"]) == [protocol.LOCK]


def test_the_work_of_a_killed_starter_is_finished_by_the_next(settings: dict[str, Any]) -> None:
    """It was killed when the holder listened, before that had an outside helper."""
    processes.fork(lambda: bool(begin(settings).listen()), what="begin").result()
    channel = client.ensure(settings)
    try:
        assert not client.has_lost_outside(settings["directory"])
        pid = channel.peer()
        inside = processes.fork(lambda: _interfaces(pid), what="look").result()
        assert "out0" in inside
    finally:
        channel.close()
        client.end(settings["directory"])


def _interfaces(pid: int) -> list[str]:
    """Those of the holder's network namespace."""
    network, user = (os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in ("net", "user"))
    syscalls.setns(user, CLONE_NEWUSER)
    syscalls.setns(network, CLONE_NEWNET)
    return [name for _, name in socket.if_nameindex()]
