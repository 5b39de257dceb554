"""The standard socket module without selectors, enum and what else it imports, which costs a start 5 to 10 ms."""

from __future__ import annotations

import _socket
from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_V6ONLY,
    SHUT_WR,
    SO_ERROR,
    SO_REUSEADDR,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_IP,
    SOL_SOCKET,
    TCP_NODELAY,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "AF_INET",
    "AF_INET6",
    "IPPROTO_IPV6",
    "IPPROTO_TCP",
    "IPV6_V6ONLY",
    "SHUT_WR",
    "SOCK_DGRAM",
    "SOCK_NONBLOCK",
    "SOCK_STREAM",
    "SOL_IP",
    "SOL_SOCKET",
    "SO_ERROR",
    "SO_REUSEADDR",
    "TCP_NODELAY",
    "has_dualstack_ipv6",
    "socket",
]


class socket(_socket.socket):  # noqa: N801  it stands for the class of that name
    """A socket; its owner closes it."""

    __slots__ = ()

    def accept(self) -> tuple[socket, Any]:
        """A new connection, and the client's address. Raises OSError."""
        fd, address = self._accept()  # type: ignore[attr-defined]  # what the standard class is made of
        return socket(fileno=fd), address


def has_dualstack_ipv6() -> bool:
    """Whether one socket can serve both families."""
    try:
        probe = _socket.socket(AF_INET6, SOCK_STREAM)
    except OSError:
        return False
    try:
        probe.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 0)
        return True
    except OSError:
        return False
    finally:
        probe.close()
