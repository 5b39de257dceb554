"""The monitor's side of a connection: queues, slow readers, clients that die, and packets that nobody should send."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pod.linux import sockets
from pod.linux.loop import Loop
from pod.monitor.attach import Client
from tests.support.connections import own_descriptors

PIECE = b"x" * 30_000


class Watcher:
    """A client and what was told about it."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.ours, theirs = sockets.pair()
        self.packets: list[tuple[bytes, Any]] = []
        self.drained = 0
        self.client = Client(self.loop, theirs, self._on_packet, self._on_drained)

    def _on_packet(self, client: Client, kind: bytes, value: Any) -> None:
        assert client is self.client
        self.packets.append((kind, value))

    def _on_drained(self) -> None:
        self.drained += 1

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.loop.turn(0.01)

    def fill(self) -> int:
        """Send until the client is slow; how many pieces that took."""
        count = 0
        while not self.client.is_slow:
            self.client.send_data(sockets.STDOUT, PIECE)
            count += 1
        return count


@pytest.fixture
def watcher() -> Generator[Watcher]:
    made = Watcher()
    yield made
    made.client.disconnect()
    made.ours.close()
    made.loop.close()


def test_messages_and_input_are_told(watcher: Watcher) -> None:
    watcher.ours.send("resize", 24, 80)
    watcher.ours.send_data(sockets.STDIN, b"typed")
    watcher.turn(2)
    assert watcher.packets == [(sockets.MESSAGE, ("resize", 24, 80)), (sockets.STDIN, b"typed")]


def test_a_message_comes_behind_the_output_before_it(watcher: Watcher) -> None:
    count = watcher.fill()
    watcher.client.send("exited", 0)
    received = []
    while watcher.client.has_unsent() or len(received) <= count:
        received.append(watcher.ours.receive()[0])
        watcher.turn()
    assert received == [sockets.STDOUT] * count + [sockets.MESSAGE]
    assert watcher.drained == 1


def test_an_end_is_told_once_when_it_is_read(watcher: Watcher) -> None:
    watcher.ours.close()
    watcher.turn(3)
    assert watcher.packets == [(b"", ())]
    assert not watcher.client.is_connected


def test_an_end_is_told_once_when_sending_meets_it(watcher: Watcher) -> None:
    """A reader that was killed while the container writes must not be waited for at the end."""
    watcher.ours.close()
    watcher.client.send_data(sockets.STDOUT, b"x")
    assert watcher.packets == [(b"", ())]
    watcher.client.send("exited", 0)
    assert not watcher.client.has_unsent()
    watcher.turn()
    assert watcher.packets == [(b"", ())]


def test_a_slow_reader_that_dies_lets_the_container_go_on(watcher: Watcher) -> None:
    watcher.fill()
    watcher.ours.close()
    watcher.turn(3)
    assert watcher.packets == [(b"", ())] and watcher.drained == 1
    assert not watcher.client.is_slow


def test_reading_can_be_stopped_for_a_while(watcher: Watcher) -> None:
    watcher.client.stop_reading()
    watcher.ours.send_data(sockets.STDIN, b"first")
    watcher.turn(3)
    assert watcher.packets == []
    watcher.client.send("noted")  # the other direction works
    assert watcher.ours.receive()[1] == ("noted",)
    watcher.client.read_on()
    watcher.turn()
    assert watcher.packets == [(sockets.STDIN, b"first")]


def test_a_client_that_is_not_read_and_dies_is_noticed(watcher: Watcher) -> None:
    watcher.client.stop_reading()
    watcher.ours.send_data(sockets.STDIN, b"last words")
    watcher.ours.close()
    watcher.turn(3)
    assert watcher.packets == [(sockets.STDIN, b"last words"), (b"", ())]


@pytest.mark.parametrize("junk", [b"m", b"m\xff\xff", b"mi\1", b"M", b"m("], ids=repr)
def test_a_packet_that_is_none_ends_the_connection(watcher: Watcher, junk: bytes) -> None:
    watcher.ours.send_data(junk[:1], junk[1:])
    watcher.turn()
    assert watcher.packets == [(b"", ())]


def test_descriptors_that_a_client_passes_are_closed(watcher: Watcher) -> None:
    before = own_descriptors()
    watcher.ours.send("attach", fds=(0, 1, 2))
    watcher.turn()
    assert watcher.packets == [(sockets.MESSAGE, ("attach",))]
    assert own_descriptors() == before
