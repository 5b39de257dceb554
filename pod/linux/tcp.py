"""Connections to other machines, without the `socket` module; sockets.py says why."""

from __future__ import annotations

import _socket
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    Socket = _socket.socket

NameUnknown = _socket.gaierror


def connect(host: str, port: int, seconds: float) -> Socket:
    """A connection to the first address of `host` that takes one within `seconds`, which stay its time limit.

    The caller closes it. Raises NameUnknown, TimeoutError or another OSError, the one of the last address.
    """
    failure = OSError("the name has no address")
    # As bytes, since for text Python loads its tables of international names.
    for family, kind, protocol, _, address in _socket.getaddrinfo(
        host.encode("ascii"), port, 0, _socket.SOCK_STREAM
    ):
        made = None
        try:
            made = _socket.socket(family, kind, protocol)
            made.settimeout(seconds)
            made.connect(address)
            made.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            return made
        except OSError as error:
            failure = error
            if made is not None:
                made.close()
    raise failure


def shut_down(connection: Socket) -> None:
    """Let whoever waits for it in another thread see its end; one that has ended already is left as it is.

    A socket of the `ssl` module is meant too, whose own method would have the rest of it sent in the clear.
    """
    try:
        _socket.socket.shutdown(connection, _socket.SHUT_RDWR)
    except OSError:
        pass


def has_something(fd: int) -> bool:
    """Whether bytes, or the end, have arrived."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def wait_for_room(fd: int, seconds: float) -> None:
    """Wait until something can be sent.

    Raises TimeoutError, and ConnectionResetError when the other side has ended and takes no more: one that has not
    closed its socket refuses nothing, it is silent for ever. poll(2), POLLRDHUP.
    """
    poll = select.poll()
    poll.register(fd, select.POLLOUT | select.POLLRDHUP)
    ready = poll.poll(seconds * 1000)
    if not ready:
        raise TimeoutError("timed out")
    if not ready[0][1] & select.POLLOUT:
        raise ConnectionResetError("the other side has ended")
