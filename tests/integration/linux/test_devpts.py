"""Terminals of a devpts file system of one's own, as a container has: that of the host gives its master to nobody."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pod.linux import idmap, namespaces, syscalls, terminal

Call = Callable[[Callable[[str], Any]], Any]


@pytest.fixture
def with_devpts(tmp_path: Path) -> Call:
    """Call a function with the path of a new devpts, in a process that is root of a namespace where it is mounted."""

    def call(function: Callable[[str], Any]) -> Any:
        def run() -> Any:
            path = str(tmp_path)
            syscalls.mount("devpts", path, "devpts", 0, "newinstance,ptmxmode=0666,mode=0620")
            return function(path)

        return idmap.run_inside(run, what="have a devpts", namespaces=namespaces.CLONE_NEWNS)

    return call


def test_a_pair_talks(with_devpts: Call) -> None:
    def talk(devpts: str) -> tuple[bytes, bool]:
        master, slave = terminal.open_pair(devpts)
        fd = os.open(slave, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, b"hello")
        return os.read(master, 100), os.get_inheritable(master)

    assert with_devpts(talk) == (b"hello", False)


def test_the_peer_keeps_a_terminal_open(with_devpts: Call) -> None:
    def read(fd: int) -> str:
        try:
            os.read(fd, 1)
        except OSError as error:
            return error.strerror
        return "something"

    def open_and_close(devpts: str) -> tuple[str, str]:
        master, slave = terminal.open_pair(devpts)
        peer = terminal.open_peer(master)
        os.close(os.open(slave, os.O_RDWR | os.O_NOCTTY))
        os.set_blocking(master, False)
        while_open = read(master)
        os.close(peer)
        return while_open, read(master)

    expected = ("Resource temporarily unavailable", "Input/output error")
    assert with_devpts(open_and_close) == expected


def test_a_terminal_can_be_made_the_controlling_one(with_devpts: Call) -> None:
    def run(devpts: str) -> bytes:
        os.setsid()
        master, slave = terminal.open_pair(devpts)
        terminal.make_controlling(os.open(slave, os.O_RDWR | os.O_NOCTTY))
        terminal_of_session = os.open("/dev/tty", os.O_RDWR)
        os.write(terminal_of_session, b"here")
        return os.read(master, 10)

    assert with_devpts(run) == b"here"
