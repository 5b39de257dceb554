"""Container output and input between pipes, a log and clients: what waits, what is taken, what is never lost."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Generator

import pytest

from pod.linux import sockets
from pod.linux.loop import Loop
from pod.monitor.attach import Client
from pod.monitor.streams import Streams
from tests.support.waiting import until

MEGABYTE = 1 << 20


class Log:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.text = {"stdout": b"", "stderr": b""}
        self.is_closed = False

    def write(self, stream: str, data: bytes) -> None:
        self.text[stream] += data

    def is_idle(self) -> bool:
        return True

    def close(self) -> None:
        self.is_closed = True


class Bench:
    def __init__(self) -> None:
        self.loop = Loop()
        self.log = Log()
        self.streams = Streams(self.loop, self.log)
        self.taken = 0
        self.streams.on_input_taken = self._on_taken
        self.stdin, self.stdout, self.stderr = self.streams.make_pipes(open_input=True)
        self.streams.begin()

    def _on_taken(self) -> None:
        self.taken += 1

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.loop.turn(0.01)


@pytest.fixture
def bench() -> Generator[Bench]:
    made = Bench()
    yield made
    made.streams.close()
    for fd in (made.stdin, made.stdout, made.stderr):
        try:
            os.close(fd)
        except OSError:
            continue  # the test has closed it
    made.loop.close()


def test_both_outputs_go_to_the_log(bench: Bench) -> None:
    os.write(bench.stdout, b"out")
    os.write(bench.stderr, b"err")
    bench.turn(2)
    assert bench.log.text == {"stdout": b"out", "stderr": b"err"}


def test_input_that_is_not_read_is_taken_up_to_a_limit(bench: Bench) -> None:
    fed = 0
    while bench.streams.takes_input:
        bench.streams.feed(b"y" * 32_000)
        fed += 32_000
    assert MEGABYTE <= fed < 2 * MEGABYTE
    assert not bench.streams.is_idle()
    read = b""
    while len(read) < fed:
        read += os.read(bench.stdin, 1 << 16)
        bench.turn()
    assert read == b"y" * fed
    assert bench.taken == 1 and bench.streams.takes_input and bench.streams.is_idle()


def test_input_ends_behind_what_was_typed(bench: Bench) -> None:
    bench.streams.feed(b"z" * 200_000)
    bench.streams.end_input()
    bench.streams.feed(b"too late")
    read = b""
    while len(read) < 200_000:
        read += os.read(bench.stdin, 1 << 16)
        bench.turn()
    assert os.read(bench.stdin, 10) == b"" and read == b"z" * 200_000


def test_input_of_a_container_that_has_closed_it_is_dropped(bench: Bench) -> None:
    while bench.streams.takes_input:
        bench.streams.feed(b"y" * 32_000)
    os.close(bench.stdin)
    bench.turn(2)
    assert bench.taken == 1 and bench.streams.is_idle()
    bench.streams.feed(b"more")
    assert bench.streams.is_idle()


def test_what_is_left_at_the_end_is_taken(bench: Bench) -> None:
    os.set_blocking(bench.stdout, False)  # a user who has many pipes gets small ones (pipe(7))
    written = os.write(bench.stdout, b"a" * 200_000)
    os.write(bench.stderr, b"b" * 100)
    bench.streams.drain()
    bench.streams.close()
    assert bench.log.text == {"stdout": b"a" * written, "stderr": b"b" * 100}
    assert bench.log.is_closed


def test_somebody_who_goes_on_writing_does_not_keep_the_end_away(bench: Bench) -> None:
    """As a process that shares the PID namespace of the host does."""
    pid = os.fork()
    if pid == 0:
        while True:
            os.write(bench.stdout, b"x" * 65536)
    try:
        until(lambda: bench.turn() or bench.log.text["stdout"], "writing")
        bench.streams.drain()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    assert len(bench.log.text["stdout"]) < 64 * MEGABYTE


def test_a_slow_client_stops_the_container_and_loses_nothing(bench: Bench) -> None:
    ours, theirs = sockets.pair()
    client = Client(bench.loop, theirs, lambda *_: None, bench.streams.resume)
    client.wants_output = True
    bench.streams.clients = [client]
    data = os.urandom(MEGABYTE) * 8

    def write() -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(bench.stdout, view) :]

    writer = threading.Thread(target=write)
    writer.start()
    until(lambda: bench.turn() or client.is_slow, "slow")
    bench.turn(5)
    assert not bench.streams.is_idle()
    taken = len(bench.log.text["stdout"])
    bench.turn(5)
    assert len(bench.log.text["stdout"]) == taken < len(data)
    received = b""
    while len(received) < len(data):
        bench.turn()
        if select.select([ours], [], [], 0)[0]:  # else the writer comes later
            received += ours.receive()[1]
    writer.join()
    assert received == data == bench.log.text["stdout"]
    client.disconnect()
    ours.close()


def test_a_slow_client_that_goes_lets_the_container_go_on(bench: Bench) -> None:
    ours, theirs = sockets.pair()
    client = Client(bench.loop, theirs, lambda *_: None, bench.streams.resume)
    client.wants_output = True
    bench.streams.clients = [client]
    os.set_blocking(bench.stdout, False)
    while not client.is_slow:
        with contextlib.suppress(BlockingIOError):
            os.write(bench.stdout, b"x" * 60_000)
        bench.turn()
    ours.close()
    bench.turn(2)
    assert bench.streams.is_idle()
    before = len(bench.log.text["stdout"])
    os.write(bench.stdout, b"on")
    bench.turn(2)
    assert len(bench.log.text["stdout"]) >= before + 2
