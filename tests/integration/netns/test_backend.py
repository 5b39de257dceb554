"""The contract of network backends on real network namespaces: begin, wait, plan or detach, release."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from netns import attach, release
from netns.backends import pasta, slirp4netns
from netns.errors import NetworkError
from pod.linux import idmap, processes, signals, syscalls
from pod.linux.namespaces import CLONE_NEWNET, CLONE_NEWNS
from tests.support.connections import own_descriptors
from tests.support.waiting import free_port, until

BACKENDS = ["pasta", "slirp4netns"]


class Namespace:
    """A process in a user and a network namespace of its own; `see` reads files as they are there."""

    def __init__(self) -> None:
        read_fd, self._write_fd = os.pipe()
        ready_fd, ready = os.pipe()

        def stay() -> None:
            os.write(ready, b"r")
            os.close(ready)
            os.read(read_fd, 1)

        self.child = idmap.start_inside(
            stay,
            what="hold a network",
            keep={read_fd, ready},
            namespaces=CLONE_NEWNET | CLONE_NEWNS,
        )
        os.close(read_fd)
        os.close(ready)
        assert os.read(ready_fd, 1) == b"r"
        os.close(ready_fd)

    def interfaces(self) -> list[str]:
        with open(f"/proc/{self.child.pid}/net/dev") as file:
            return [line.split(":")[0].strip() for line in file if ":" in line]

    def has_address(self, address: str) -> bool:
        with open(f"/proc/{self.child.pid}/net/fib_trie") as file:
            return address in file.read()

    def close(self) -> None:
        self.child.kill()
        os.close(self._write_fd)


@pytest.fixture
def namespace() -> Generator[Namespace]:
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def make(backend: str, *ports: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "backend": backend,
            "program": processes.find_program(backend),
            "ports": list(ports),
            "options": [],
            "ipv6": True,
            "run_directory": str(tmp_path),
            **more,
        }

    return make


def port(host_port: int, **more: Any) -> dict[str, Any]:
    return {"host_ip": "127.0.0.1", "host_port": host_port, "container_port": 80, "count": 1,
            "protocol": "tcp", **more}  # fmt: skip


def is_listening(number: int) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", number)) == 0


@pytest.fixture(autouse=True)
def adopted() -> Generator[None]:
    """As a monitor, which collects the helpers that become daemons.

    Not for longer: nobody here collects what the tests of other files leave to whoever adopts orphans, and a container
    does not end before the last process in it has been collected (`exec -d`).
    """
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    yield
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_connects_publishes_and_lets_go(
    namespace: Namespace, settings: Callable[..., dict[str, Any]], tmp_path: Path, backend: str
) -> None:
    number = free_port()
    attachment = attach.begin(settings(backend, port(number)), namespace.child.pid)
    attachment.wait()
    plan = attachment.plan()
    assert len(namespace.interfaces()) == 2 and namespace.has_address("10.0.2.100")
    until(lambda: is_listening(number), "listening")
    ((pid, started),) = plan["processes"]
    assert processes.is_alive(pid, started)
    release.release(plan)
    release.wait_until_released(plan)
    assert not processes.is_alive(pid, started)
    assert not is_listening(number)
    release.release(plan)  # twice does no harm
    processes.reap_all()
    assert [name for name in os.listdir(tmp_path) if name.endswith(".sock")] == []


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("waits", [False, True])
def test_detach_undoes_a_start_that_breaks_off(
    namespace: Namespace, settings: Callable[..., dict[str, Any]], backend: str, waits: bool
) -> None:
    """The leak check sees a helper that is left."""
    attachment = attach.begin(settings(backend), namespace.child.pid)
    if waits:
        attachment.wait()
    attachment.detach()
    processes.reap_all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_port_that_is_in_use_is_named(
    namespace: Namespace, settings: Callable[..., dict[str, Any]], backend: str
) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        attachment = attach.begin(settings(backend, port(number)), namespace.child.pid)
        with pytest.raises(NetworkError) as caught:
            attachment.wait()
        attachment.detach()
    assert backend in str(caught.value)
    assert str(number) in str(caught.value)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo it cannot be >&2; exit 1", "it cannot be"),
        ("exit 1", "it gave no reason"),
        ("kill -9 $$", "it gave no reason"),
    ],
)
def test_a_helper_that_fails_is_quoted(
    namespace: Namespace,
    settings: Callable[..., dict[str, Any]],
    tmp_path: Path,
    backend: str,
    script: str,
    words: str,
) -> None:
    program = tmp_path / backend
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    attachment = attach.begin(settings(backend, program=str(program)), namespace.child.pid)
    with pytest.raises(NetworkError) as caught:
        attachment.wait()
    attachment.detach()
    assert words in str(caught.value) and backend in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_program_that_is_not_there(
    namespace: Namespace, settings: Callable[..., dict[str, Any]], backend: str
) -> None:
    attachment = attach.begin(settings(backend, program=f"/no/such/{backend}"), namespace.child.pid)
    with pytest.raises(NetworkError, match="No such file"):
        attachment.wait()
    attachment.detach()


def test_a_lost_helper_is_found_by_its_file(
    namespace: Namespace, settings: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    attachment = attach.begin(settings("pasta"), namespace.child.pid)
    attachment.wait()
    ((pid, started),) = attachment.plan()["processes"]
    release.release_lost(str(tmp_path))
    assert processes.wait_until_gone(pid, started)
    processes.reap_all()


def test_a_helper_that_has_not_said_its_number_is_ended(tmp_path: Path) -> None:
    script = "import time; print(flush=True); time.sleep(1000)"
    words = [sys.executable, "-c", script]
    ours, other = (
        subprocess.Popen([*words, f"{place}/pasta.pid"], stdout=subprocess.PIPE)
        for place in (tmp_path, tmp_path.parent)
    )
    try:
        for process in (ours, other):
            assert process.stdout is not None and process.stdout.readline()
        release.release_unnamed(str(tmp_path))
        assert ours.wait(60) == -signals.SIGKILL
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.communicate()


def test_a_file_with_another_process_in_it_ends_nobody(tmp_path: Path) -> None:
    (tmp_path / "pasta.pid").write_text(f"{os.getpid()}\n")
    (tmp_path / "other.pid").write_text("not a number")
    (tmp_path / "third.pid").write_text("999999999")
    release.release_lost(str(tmp_path))
    release.release_lost(str(tmp_path / "missing"))


def test_a_network_of_ones_own_needs_nothing(namespace: Namespace) -> None:
    for backend in ("none", "host", "joined"):
        attachment = attach.begin({"backend": backend}, namespace.child.pid)
        attachment.wait()
        release.release(attachment.plan())
        attachment.detach()
    assert namespace.interfaces() == ["lo"]


@pytest.mark.parametrize("module", [pasta, slirp4netns], ids=BACKENDS)
def test_no_descriptor_is_left(
    namespace: Namespace, settings: Callable[..., dict[str, Any]], module: Any
) -> None:
    name = module.__name__.rpartition(".")[2]
    before = own_descriptors()
    for waits in (True, False):
        attachment = module.begin(settings(name), namespace.child.pid)
        if waits:
            attachment.wait()
        attachment.detach()
    processes.reap_all()
    assert own_descriptors() == before
