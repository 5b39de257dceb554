"""sd_notify(3) for a container: a socket of its own, whose READY=1 `start` passes on to that of the caller.

The caller's own socket would not do: what reads it identifies the sender, and wants it among its own processes.
"""

from __future__ import annotations

import os
import select

from pod.base import log
from pod.linux import processes, sockets
from pod.runtime import notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.runtime.command.states import Saved


def prepare(config: dict[str, Any], directory: str) -> None:
    """Give the container a place for its socket, and say in its environment where."""
    os.mkdir(directory, 0o755)
    notify.offer(config, directory)


class Proxy:
    """The socket, from before the container starts. The holder closes it."""

    def __init__(self, saved: Saved, directory: str) -> None:
        self._saved = saved
        self._socket = sockets.Datagrams(directory, notify.NAME)

    def pass_on(self) -> None:
        """Wait until the container says READY=1, or ends; tell the caller, with the process that it is about."""
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        pidfd = processes.open_alive(self._saved.pid, self._saved.started)
        timeout = None if pidfd >= 0 else 0
        try:
            if pidfd >= 0:
                poll.register(pidfd, select.POLLIN)
            while ready := [fd for fd, _ in poll.poll(timeout)]:
                if self._socket.fileno() not in ready:
                    poll.unregister(pidfd)  # it has ended; what it said before is there by now
                    timeout = 0
                elif b"READY=1" in self._socket.receive().split(b"\n"):
                    self._tell()
                    return
        finally:
            if pidfd >= 0:
                os.close(pidfd)

    def _tell(self) -> None:
        message = f"MAINPID={self._saved.pid}\nREADY=1"
        try:
            sockets.send_datagram(self._saved.notify, message.encode())
        except OSError as error:
            log.warning(f"'{self._saved.notify}' was not told that the container is ready: {error}")

    def close(self) -> None:
        self._socket.close()
