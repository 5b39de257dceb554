"""A program on a pseudo-terminal, as a person would use it: type, look at the screen, change the window."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

DEADLINE_SECONDS = 20


class Terminal:
    """Runs `command` with the terminal as its controlling one. A context manager that ends the command."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], *, rows: int = 24, columns: int = 80
    ) -> None:
        self.screen = ""  # all that was written so far
        self.status: int | None = None
        self._read_to = 0
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                self._set_size(0, rows, columns)
                os.execve(command[0], list(command), dict(env))
            finally:
                os._exit(127)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    def resize(self, rows: int, columns: int) -> None:
        self._set_size(self._fd, rows, columns)

    @staticmethod
    def _set_size(fd: int, rows: int, columns: int) -> None:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def is_raw(self) -> bool:
        """Whether the command gets every key as it is typed."""
        return not termios.tcgetattr(self._fd)[3] & termios.ICANON

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def expect(self, text: str, seconds: float = DEADLINE_SECONDS) -> str:
        """Wait until `text` appears after what was expected before; what stood in front of it."""
        deadline = time.monotonic() + seconds
        while (at := self.screen.find(text, self._read_to)) < 0:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"'{text}' did not appear; the screen:\n{self.screen}")
        before = self.screen[self._read_to : at]
        self._read_to = at + len(text)
        return before

    def expect_all(self, *texts: str) -> None:
        """Wait until each of `texts` appears after what was expected before, in any order: several processes write."""
        start = end = self._read_to
        for text in texts:
            self._read_to = start
            self.expect(text)
            end = max(end, self._read_to)
        self._read_to = end

    def expect_size(self, rows: int, columns: int) -> None:
        """Wait until the shell that runs in the terminal finds that it has this size."""
        self.type(
            f"until [ \"$(stty size)\" = '{rows} {columns}' ]; do sleep 0.02; done; echo size' 'known\r"
        )
        self.expect("size known")

    def wait(self, seconds: float = DEADLINE_SECONDS) -> int:
        """The exit status of the command, when it has ended by itself; 128+N for a signal."""
        deadline = time.monotonic() + seconds
        while self._read(deadline - time.monotonic()):
            pass
        pidfd = os.pidfd_open(self.pid)
        try:
            if not select.select([pidfd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"did not end; the screen:\n{self.screen}")
        finally:
            os.close(pidfd)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.status = status if status >= 0 else 128 - status
        return self.status

    def _read(self, seconds: float) -> bool:
        """Read what there is, waiting at most so long; False at the end of file or the deadline."""
        if seconds <= 0 or not select.select([self._fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # EIO: nobody has the other end open any more
            return False
        self.screen += data.decode(errors="replace")
        return bool(data)
