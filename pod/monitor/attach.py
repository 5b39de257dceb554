"""The monitor's side of attached terminals and of commands that wait; the messages are in `spec/monitor.py`."""

from __future__ import annotations

from pod.linux import sockets
from pod.linux.loop import READ, WRITE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MAX_QUEUED = 64  # packets; a client that lets more pile up slows the container down, as a slow terminal would


class Client:
    """One connection, never blocking. `on_packet(client, kind, value)` is called for what it sends.

    It is called with the kind b"" when the connection has ended, once, whoever noticed it.
    """

    def __init__(
        self,
        loop: Loop,
        channel: sockets.Channel,
        on_packet: Callable[[Client, bytes, Any], None],
        on_drained: Callable[[], None],
    ) -> None:
        self.wants_output = False
        self.is_finishing = False
        self.wants_health = False
        self.is_connected = True
        self._loop = loop
        self._channel = channel
        self._on_packet = on_packet
        self._on_drained = on_drained
        self._queue: list[tuple[bytes, Any]] = []
        self._is_read = True
        self._watched = -1  # for which events; -1 before the first
        channel.set_blocking(False)
        self._watch()

    def fileno(self) -> int:
        return self._channel.fileno()

    @property
    def is_slow(self) -> bool:
        return len(self._queue) > _MAX_QUEUED

    def send(self, *message: Any) -> None:
        """Queue a message behind the output that was sent before it."""
        self._put(sockets.MESSAGE, message)

    def send_data(self, kind: bytes, data: bytes) -> None:
        """Queue a piece of output."""
        self._put(kind, data)

    def _put(self, kind: bytes, value: Any) -> None:
        if not self.is_connected:
            return
        self._queue.append((kind, value))
        if len(self._queue) == 1:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._queue:
                kind, value = self._queue[0]
                if kind == sockets.MESSAGE:
                    self._channel.send(*value)
                else:
                    self._channel.send_data(kind, value)
                self._queue.pop(0)
        except BlockingIOError:
            pass
        except OSError:
            self.disconnect()
            return
        self._watch()

    def _watch(self) -> None:
        events = (READ if self._is_read else 0) | (WRITE if self._queue else 0)
        if events != self._watched:
            self._watched = events
            self._loop.watch(self._channel.fileno(), self._ready, events)

    def stop_reading(self) -> None:
        """Take nothing more from this client until `read_on`; it waits, as a writer to a full pipe does."""
        self._is_read = False
        self._watch()

    def read_on(self) -> None:
        """Take what the client sends again."""
        if self.is_connected and not self._is_read:
            self._is_read = True
            self._watch()

    def take(self) -> None:
        """Take what the client has said already, one packet if there is one."""
        self._ready(READ)

    def _ready(self, events: int) -> None:
        if events & WRITE and self._queue:
            was_slow = self.is_slow
            self._flush()
            if was_slow and not self.is_slow and self.is_connected:
                self._on_drained()
        if not events & READ or not self.is_connected:
            return
        try:
            kind, value, fds = self._channel.receive()
        except BlockingIOError:
            return
        except (OSError, ValueError, EOFError, TypeError, IndexError):
            kind, value, fds = b"", (), []  # no packet of ours
        _close_all(fds)
        if kind:
            self._on_packet(self, kind, value)
        else:
            self.disconnect()

    def has_unsent(self) -> bool:
        return self.is_connected and bool(self._queue)

    def disconnect(self) -> None:
        """Close the connection; twice does no harm."""
        if self.is_connected:
            was_slow = self.is_slow
            self.is_connected = False
            self._queue.clear()
            self._loop.forget(self._channel.fileno())
            self._channel.close()
            self._on_packet(self, b"", ())
            if was_slow:
                self._on_drained()


def _close_all(fds: list[int]) -> None:
    """A client has no reason to pass descriptors; those it passes are not kept."""
    import os

    for fd in fds:
        os.close(fd)
