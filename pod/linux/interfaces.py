"""Network interfaces through ioctl(2), for the two things that need no netlink library. See netdevice(7)."""

from __future__ import annotations

import _socket
import fcntl

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


def set_up(name: str) -> None:
    """Set the interface up in the caller's network namespace."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        request = name.encode().ljust(40, b"\0")
        flags = int.from_bytes(fcntl.ioctl(sock.fileno(), _SIOCGIFFLAGS, request)[16:18], "little")
        changed = request[:16] + (flags | _IFF_UP).to_bytes(2, "little") + request[18:]
        fcntl.ioctl(sock.fileno(), _SIOCSIFFLAGS, changed)
    finally:
        sock.close()
