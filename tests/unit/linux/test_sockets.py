from __future__ import annotations

import os
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.linux import processes, sockets
from pod.linux.sockets import Channel, DescriptorListener, Listener


@pytest.fixture
def ends() -> Generator[tuple[Channel, Channel]]:
    left, right = sockets.pair()
    yield left, right
    left.close()
    right.close()


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.binary()
    | st.text()
    | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=10,
)


@given(st.lists(values, min_size=1, max_size=3))
def test_messages_arrive_as_they_were_sent(message: list[Any]) -> None:
    left, right = sockets.pair()
    left.send(*message)
    assert right.receive() == (sockets.MESSAGE, tuple(message), [])
    left.close()
    right.close()


@pytest.mark.parametrize("size", [0, 60_000, 65_400, 65_471, 65_472, 65_536, 5_000_000])
def test_messages_of_any_length_arrive(ends: tuple[Channel, Channel], size: int) -> None:
    left, right = ends
    left.send("long", b"x" * size)
    kind, message, fds = right.receive()
    assert (kind, message, fds) == (sockets.MESSAGE, ("long", b"x" * size), [])


@pytest.mark.parametrize("size", [1, 200_000])
def test_descriptors_travel_with_short_and_long_messages(
    ends: tuple[Channel, Channel], size: int
) -> None:
    left, right = ends
    pipes = [os.pipe() for _ in range(7)]
    left.send("here", b"x" * size, fds=[write for _, write in pipes])
    _, message, fds = right.receive()
    assert message[0] == "here"
    for number, fd in enumerate(fds):
        assert not os.get_inheritable(fd)
        os.write(fd, b"%d" % number)
        os.close(fd)
    assert [os.read(read, 10) for read, _ in pipes] == [b"%d" % number for number in range(7)]
    for pipe in pipes:
        for fd in pipe:
            os.close(fd)


@pytest.mark.parametrize("count", [16, 17, 60])
def test_as_many_descriptors_arrive_as_were_sent(ends: tuple[Channel, Channel], count: int) -> None:
    left, right = ends
    null = os.open("/dev/null", os.O_RDWR)
    left.send("many", fds=[null] * count)
    _, _, fds = right.receive()
    assert len(fds) == count
    for fd in [*fds, null]:
        os.close(fd)


def test_pieces_of_streams_are_no_messages(ends: tuple[Channel, Channel]) -> None:
    left, right = ends
    left.send_data(sockets.STDOUT, b"m not a message")
    left.send_data(sockets.STDERR, b"")
    assert right.receive() == (sockets.STDOUT, b"m not a message", [])
    assert right.receive() == (sockets.STDERR, b"", [])


def test_a_closed_peer_is_the_end_for_the_reader(ends: tuple[Channel, Channel]) -> None:
    left, right = ends
    left.send("last")
    left.close()
    assert right.receive()[1] == ("last",)
    assert right.receive() == (b"", (), [])


def test_a_peer_that_closes_with_unread_messages_is_the_end_too(
    ends: tuple[Channel, Channel],
) -> None:
    left, right = ends
    right.send("never read")
    left.close()
    assert right.receive() == (b"", (), [])


def test_sending_to_a_closed_peer_raises_and_does_not_kill(ends: tuple[Channel, Channel]) -> None:
    def send() -> str:
        import signal

        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        left, right = sockets.pair()
        right.close()
        with pytest.raises(BrokenPipeError):
            left.send("x")
        with pytest.raises(BrokenPipeError):
            left.send("x" * 100_000)
        with pytest.raises(BrokenPipeError):
            left.send_data(sockets.STDIN, b"x")
        return "errors"

    assert processes.fork(send, what="send").result() == "errors"


def test_a_full_channel_that_must_not_block_says_so(ends: tuple[Channel, Channel]) -> None:
    left, _ = ends
    left.set_blocking(False)
    with pytest.raises(BlockingIOError):
        for _ in range(10_000):
            left.send_data(sockets.STDOUT, b"x" * 30_000)


def test_an_empty_channel_that_must_not_block_says_so(ends: tuple[Channel, Channel]) -> None:
    ends[1].set_blocking(False)
    with pytest.raises(BlockingIOError):
        ends[1].receive()


@pytest.fixture(params=["short", "long"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Some directories have more characters than the path of a socket may have."""
    path = tmp_path / ("d" * (3 if request.param == "short" else 150))
    path.mkdir()
    return str(path)


def test_clients_reach_a_listener_by_its_name(directory: str) -> None:
    listener = Listener(directory, "it")
    client = sockets.connect(directory, "it")
    server = listener.accept()
    client.send("hello")
    assert server.receive()[1] == ("hello",)
    assert os.stat(f"{directory}/it").st_mode & 0o777 == 0o600
    for one in (listener, client, server):
        one.close()


def test_nobody_waiting_is_no_reason_to_block(directory: str) -> None:
    listener = Listener(directory, "it")
    with pytest.raises(BlockingIOError):
        listener.accept()
    listener.close()


def test_connecting_without_a_listener_is_an_error(directory: str) -> None:
    with pytest.raises(FileNotFoundError):
        sockets.connect(directory, "missing")
    Listener(directory, "gone").close()
    with pytest.raises(ConnectionRefusedError):
        sockets.connect(directory, "gone")
    with pytest.raises(FileNotFoundError):
        sockets.connect(f"{directory}/missing", "it")


def test_a_listener_can_be_taken_over(directory: str) -> None:
    listener = Listener(directory, "it")
    again = Listener.from_fd(os.dup(listener.fileno()))
    listener.close()
    client = sockets.connect(directory, "it")
    again.accept().close()
    assert client.receive()[0] == b""
    client.close()
    again.close()


def test_the_umask_is_left_as_it_was(directory: str) -> None:
    before = os.umask(0o022)
    Listener(directory, "it").close()
    assert os.umask(before) == 0o022


def test_a_descriptor_listener_takes_what_a_runtime_passes(directory: str) -> None:
    listener = DescriptorListener(directory, "console")
    assert listener.take() is None
    read_fd, write_fd = os.pipe()
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fd = os.open(directory, os.O_PATH)
    sender.connect(f"/proc/self/fd/{fd}/console")
    socket.send_fds(sender, [b"/dev/pts/0"], [write_fd])
    sender.close()
    taken = listener.take()
    assert taken is not None
    os.write(taken, b"x")
    assert os.read(read_fd, 1) == b"x"
    listener.close()
    assert os.listdir(directory) == []
    for one in (fd, read_fd, write_fd, taken):
        os.close(one)


def test_a_descriptor_listener_leaves_its_file_to_nobody(directory: str) -> None:
    """A connection without a descriptor is none."""
    listener = DescriptorListener(directory, "console")
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fd = os.open(directory, os.O_PATH)
    sender.connect(f"/proc/self/fd/{fd}/console")
    sender.send(b"x")
    assert listener.take() is None
    sender.close()
    os.close(fd)
    listener.close()
