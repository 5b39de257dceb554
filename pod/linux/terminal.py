"""Terminals: pairs inside a container, raw mode of the caller's own, window sizes. See pty(7), termios(3)."""

from __future__ import annotations

import fcntl
import os
import termios
from sys import byteorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# ioctl_tty(2); the termios module names them from Python 3.13 on. POWER numbers them in its own way.
_TIOCSPTLCK, _TIOCGPTN, _TIOCGPTPEER = (
    (0x80045431, 0x40045430, 0x20005441)
    if os.uname().machine.startswith("ppc")
    else (0x40045431, 0x80045430, 0x5441)
)


def open_pair(devpts: str = "/dev/pts") -> tuple[int, str]:
    """A new terminal of the devpts instance mounted at `devpts`: its master descriptor and the path of the slave."""
    master = os.open(f"{devpts}/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, _TIOCSPTLCK, b"\0\0\0\0")
    number = int.from_bytes(fcntl.ioctl(master, _TIOCGPTN, b"\0\0\0\0"), byteorder)
    return master, f"{devpts}/{number}"


def open_peer(master_fd: int) -> int:
    """The slave side of the terminal behind `master_fd`, also from another mount namespace (Linux 4.13)."""
    return fcntl.ioctl(master_fd, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def make_controlling(slave_fd: int) -> None:
    """Make the terminal the controlling one of this session, whose leader is the caller."""
    fcntl.ioctl(slave_fd, termios.TIOCSCTTY, 0)


def window_size(fd: int) -> tuple[int, int]:
    """Rows and columns; (0, 0) when the terminal does not know them."""
    data = fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8)
    return int.from_bytes(data[0:2], byteorder), int.from_bytes(data[2:4], byteorder)


def set_window_size(fd: int, rows: int, columns: int) -> None:
    """Tell the terminal its size; its foreground processes get SIGWINCH."""
    size = rows.to_bytes(2, byteorder) + columns.to_bytes(2, byteorder) + b"\0" * 4
    fcntl.ioctl(fd, termios.TIOCSWINSZ, size)


class RawMode:
    """The caller's terminal in raw mode while the context lasts: every key is passed on as it is, cfmakeraw(3)."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._saved: list[Any] = []

    def __enter__(self) -> None:
        self._saved = termios.tcgetattr(self._fd)
        raw = termios.tcgetattr(self._fd)
        raw[0] &= ~(
            termios.IGNBRK
            | termios.BRKINT
            | termios.PARMRK
            | termios.ISTRIP
            | termios.INLCR
            | termios.IGNCR
            | termios.ICRNL
            | termios.IXON
        )
        raw[1] &= ~termios.OPOST
        raw[2] = raw[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        raw[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSADRAIN, raw)

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)


class KeyMode:
    """The caller's terminal gives each key at once and shows none, while the context lasts; Ctrl-C stays a signal."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._saved: list[Any] = []

    def __enter__(self) -> None:
        self._saved = termios.tcgetattr(self._fd)
        changed = termios.tcgetattr(self._fd)
        changed[3] &= ~(termios.ECHO | termios.ICANON)
        changed[6][termios.VMIN], changed[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSADRAIN, changed)

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)
