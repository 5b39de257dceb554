"""Container output -> log and attached clients; clients' input -> container. Pipes or one terminal."""

from __future__ import annotations

import errno
import fcntl
import os

from pod.linux import sockets
from pod.linux.loop import READ, WRITE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.monitor.attach import Client
    from pod.monitor.logs import Driver

_READ_BYTES = 64 * 1024  # more would stay with the process as memory, for no more speed
_PIPE_BYTES = 256 * 1024
_PACKET_BYTES = 32 * 1024
_MAX_PENDING_INPUT = 1 << 20
_MAX_LEFT = 1 << 20  # bytes: what a pipe may hold at most (pipe(7), pipe-max-size)
_F_SETPIPE_SZ = (
    1031  # fcntl(2); the fcntl module names it from Python 3.10 on only where glibc does
)


class Streams:
    """The three streams of a container, from its start to its end. The holder calls `drain`, then `close`."""

    def __init__(self, loop: Loop, log: Driver) -> None:
        self.clients: list[Client] = []
        self.on_input_taken: Callable[[], None] = lambda: None  # there is room for more input again
        self._loop = loop
        self._log = log
        self._outputs: dict[
            int, tuple[str, bytes]
        ] = {}  # descriptor -> name in the log, kind of packet
        self._input_fd = -1
        self._pending_input = bytearray()
        self._input_ends = False
        self._paused = False
        self._terminal_peer = -1

    def make_pipes(self, *, open_input: bool) -> tuple[int, int, int]:
        """The container's ends as (stdin, stdout, stderr); the caller closes them after the fork.

        Without `open_input` standard input is /dev/null.
        """
        if open_input:
            theirs_in, self._input_fd = os.pipe()
            os.set_blocking(self._input_fd, False)
        else:
            theirs_in = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        ends = []
        for name, kind in (("stdout", sockets.STDOUT), ("stderr", sockets.STDERR)):
            ours, theirs = os.pipe()
            os.set_blocking(ours, False)
            try:
                fcntl.fcntl(ours, _F_SETPIPE_SZ, _PIPE_BYTES)
            except OSError:
                pass  # the user's share of pipe buffers is used up; the default size works too
            self._outputs[ours] = (name, kind)
            ends.append(theirs)
        return theirs_in, ends[0], ends[1]

    def use_terminal(self, master_fd: int) -> None:
        """Serve a terminal instead of pipes; `master_fd` belongs to the streams from now on."""
        from pod.linux import terminal  # most containers have none

        os.set_blocking(master_fd, False)
        self._outputs = {master_fd: ("stdout", sockets.STDOUT)}
        self._input_fd = master_fd
        # While someone holds the other side, a program that closes and reopens its terminal is no end of file.
        self._terminal_peer = terminal.open_peer(master_fd)

    def begin(self) -> None:
        """Start to serve; after the container's ends are closed here."""
        for fd in self._outputs:
            self._loop.watch(fd, lambda _, fd=fd: self._read(fd))  # type: ignore[misc]

    def is_idle(self) -> bool:
        """Whether nothing is in our own buffers."""
        return not self._pending_input and not self._paused and self._log.is_idle()

    def descriptors(self) -> list[int]:
        """Every descriptor that belongs to the container's streams."""
        fds = [*self._outputs, self._input_fd, self._terminal_peer]
        return list(dict.fromkeys(fd for fd in fds if fd >= 0))

    def save(self) -> dict[str, Any]:
        """What `load` needs, as plain data, when the streams are idle."""
        return {
            "outputs": self._outputs,
            "input_fd": self._input_fd,
            "input_ends": self._input_ends,
            "terminal_peer": self._terminal_peer,
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Take over the descriptors of another program of this process."""
        self._outputs = saved["outputs"]
        self._input_fd = saved["input_fd"]
        self._input_ends = saved["input_ends"]
        self._terminal_peer = saved["terminal_peer"]

    def resize(self, rows: int, columns: int) -> None:
        """Set the window size of the terminal; does nothing for pipes."""
        if self._terminal_peer >= 0:
            from pod.linux import terminal

            terminal.set_window_size(self._input_fd, rows, columns)

    def feed(self, data: bytes) -> None:
        """Pass input on to the container, as fast as it reads."""
        if self._input_fd < 0 or self._input_ends:
            return
        self._pending_input += data
        self._write_input()

    def end_input(self) -> None:
        """No more input: the container reads an end of file after what is pending. A terminal stays open."""
        if self._terminal_peer < 0 and self._input_fd >= 0:
            self._input_ends = True
            self._write_input()

    @property
    def takes_input(self) -> bool:
        """Whether more input can be taken now without piling up; if not, `on_input_taken` tells when it can."""
        return len(self._pending_input) < _MAX_PENDING_INPUT

    def _write_input(self) -> None:
        was_full = not self.takes_input
        self._write_pending()
        if was_full and self.takes_input:
            self.on_input_taken()

    def _write_pending(self) -> None:
        try:
            while self._pending_input:
                written = os.write(self._input_fd, self._pending_input[:_PACKET_BYTES])
                del self._pending_input[:written]
        except BlockingIOError:
            if self._terminal_peer < 0:
                self._loop.watch(self._input_fd, lambda _: self._write_input(), WRITE)
            else:
                self._loop.watch(self._input_fd, self._serve_terminal, READ | WRITE)
            return
        except BrokenPipeError:
            self._pending_input.clear()
            self._input_ends = True
        if self._terminal_peer >= 0:
            self._loop.watch(self._input_fd, lambda _: self._read(self._input_fd))
            return
        self._loop.forget(self._input_fd)
        if self._input_ends:
            os.close(self._input_fd)
            self._input_fd = -1

    def _serve_terminal(self, events: int) -> None:
        if events & WRITE:
            self._write_input()
        if events & READ:
            self._read(self._input_fd)

    def _read(self, fd: int) -> None:
        if not self._pump(fd):
            self._loop.forget(fd)
            self._close_output(fd)

    def _pump(self, fd: int) -> bool:
        """Move one piece; False at the end of the stream."""
        name, kind = self._outputs[fd]
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno != errno.EIO:  # the way a terminal says that nobody has it open
                raise
            return False
        if not data:
            return False
        self._deliver(name, kind, data)
        if any(client.is_slow for client in self.clients):
            self._pause()
        return True

    def _deliver(self, name: str, kind: bytes, data: bytes) -> None:
        self._log.write(name, data)
        for client in tuple(self.clients):  # sending may end a connection
            if client.wants_output:
                for start in range(0, len(data), _PACKET_BYTES):
                    client.send_data(kind, data[start : start + _PACKET_BYTES])

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            for fd in self._outputs:
                self._loop.forget(fd)

    def resume(self) -> None:
        """Read again when no client is slow any more."""
        if self._paused and not any(client.is_slow for client in self.clients):
            self._paused = False
            self.begin()

    def drain(self) -> None:
        """Take what is left after the container's end.

        Not more than a pipe holds, and without waiting: processes outside it may hold a pipe and go on writing.
        """
        if self._terminal_peer >= 0:
            os.close(
                self._terminal_peer
            )  # now the terminal ends when the container's last process has let go
            self._terminal_peer = -1
        for fd in list(self._outputs):
            self._loop.forget(fd)
            self._drain_one(fd)

    def _drain_one(self, fd: int) -> None:
        name, kind = self._outputs[fd]
        left = _MAX_LEFT
        while left > 0:
            try:
                data = os.read(fd, _READ_BYTES)
            except OSError:  # nothing left, or the end of a terminal
                return
            if not data:
                return
            left -= len(data)
            self._deliver(name, kind, data)

    def _close_output(self, fd: int) -> None:
        del self._outputs[fd]
        if fd == self._input_fd:
            self._input_fd = -1
        os.close(fd)

    def close(self) -> None:
        """Close every descriptor that is left."""
        for fd in list(self._outputs):
            self._loop.forget(fd)
            self._close_output(fd)
        if self._input_fd >= 0:
            self._loop.forget(self._input_fd)
            os.close(self._input_fd)
            self._input_fd = -1
        self._log.close()
