"""What of a container goes at once when it leaves, though other work of the holder is still under way."""

from __future__ import annotations

import errno
import os
import signal
import socket

from netns.holder import forward, members, work
from pod.linux import processes
from pod.linux.loop import Loop
from tests.support.waiting import until


def is_refused(address: tuple[str, int]) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(address) == errno.ECONNREFUSED


def test_names_and_ports_go_before_the_cables() -> None:
    """Else a container that is started again would find its own port taken."""
    loop = Loop()
    queue = work.Queue(loop)
    known = members.Members(loop, queue, lambda: None, lambda: True)
    process_fd = os.pidfd_open(os.getpid())
    container = members.Container(os.getpid(), "a", ["a"], [], process_fd)
    os.close(process_fd)
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    container.ports.append(forward.TcpPort(loop, listener, forward.Target({}, 80, {})))  # type: ignore[arg-type]
    known._containers["a"] = container
    busy = processes.fork(signal.pause, what="keep the holder at work")
    finished: list[BaseException | None] = []

    def waits() -> work.Steps:
        yield busy.pid

    queue.add(waits(), finished.append)
    known.let_go("a")
    try:
        assert not finished and queue
        until(
            lambda: is_refused(address), "refused"
        )  # the child may have had the socket, too, for a moment
        assert container.has_left
    finally:
        os.kill(busy.pid, signal.SIGKILL)
    while queue:
        loop.turn(10)
    assert finished == [None] and not known
    loop.close()
