"""Network interfaces through ioctl(2), for the two things that need no netlink library. See netdevice(7)."""

from __future__ import annotations

import _socket
import fcntl
from sys import byteorder

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


def set_up(name: str) -> None:
    """Set the interface up in the caller's network namespace."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        request = name.encode().ljust(40, b"\0")
        flags = int.from_bytes(fcntl.ioctl(sock.fileno(), _SIOCGIFFLAGS, request)[16:18], byteorder)
        changed = request[:16] + (flags | _IFF_UP).to_bytes(2, byteorder) + request[18:]
        fcntl.ioctl(sock.fileno(), _SIOCSIFFLAGS, changed)
    finally:
        sock.close()


def outgoing_address(family: int = _socket.AF_INET) -> str | None:
    """The address from which this machine reaches others; None when it has no route. Sends nothing."""
    unreached = (
        "192.0.2.1" if family == _socket.AF_INET else "2001:db8::1"
    )  # for documentation, RFC 5737 and 3849
    sock = _socket.socket(family, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        sock.connect((unreached, 9))
        address: str = sock.getsockname()[0]
        return address
    except OSError:
        return None
    finally:
        sock.close()


def reaches_ipv6_alone() -> bool:
    """Whether this machine has a way to others by IPv6 and none by IPv4."""
    return outgoing_address() is None and outgoing_address(_socket.AF_INET6) is not None


def can_listen(address: str, port: int, protocol: str) -> OSError | None:
    """Why the port cannot be bound at this moment; None when it can. `address` "" is every one."""
    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    kind = _socket.SOCK_DGRAM if protocol == "udp" else _socket.SOCK_STREAM
    sock = _socket.socket(family, kind | _socket.SOCK_CLOEXEC)
    try:
        if protocol == "tcp":
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if protocol == "tcp":
            sock.listen(1)  # two sockets with SO_REUSEADDR may be bound, and only one may listen
    except OSError as error:
        return error
    finally:
        sock.close()
    return None


# The kernel gives their ports to nobody who leaves the choice to it.
_kept: list[_socket.socket] = []


def free_port(address: str, protocol: str) -> int:
    """A port that nobody uses at this moment, from the range of ephemeral ports.

    One for TCP is given to nobody else who asks so while this process lives, and whoever says SO_REUSEADDR may listen.
    """
    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    kind = _socket.SOCK_DGRAM if protocol == "udp" else _socket.SOCK_STREAM
    sock = _socket.socket(family, kind | _socket.SOCK_CLOEXEC)
    try:
        if protocol == "tcp":
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            _kept.append(sock)
        sock.bind((address, 0))
        port: int = sock.getsockname()[1]
        return port
    finally:
        if protocol != "tcp":
            sock.close()


def routed_subnets(*, without_gateway: bool = False) -> dict[str, str]:
    """The subnets that this machine has routes to, but for those to everywhere, with the interfaces they go by.

    `without_gateway` gives only those that one of its interfaces is on. Both tables are in hexadecimal;
    /proc/net/route has the least byte first.
    """
    found = {}
    try:
        with open(
            "/proc/net/ipv6_route", "rb"
        ) as file:  # the codec for ASCII would be one more module
            for line in file.read().decode().splitlines():
                target, length, _, _, gateway, *_, name = line.split()
                if int(length, 16) and not (without_gateway and int(gateway, 16)):
                    address = _socket.inet_ntop(_socket.AF_INET6, bytes.fromhex(target))
                    found[f"{address}/{int(length, 16)}"] = name
    except FileNotFoundError:
        pass  # a kernel without IPv6
    with open("/proc/net/route", "rb") as file:
        for line in file.read().decode().splitlines()[1:]:
            name, *fields = line.split()
            destination, via, mask = (int(fields[number], 16) for number in (0, 1, 6))
            if mask and not (without_gateway and via):
                octets = ".".join(str(byte) for byte in destination.to_bytes(4, "little"))
                found[f"{octets}/{mask.bit_count()}"] = name
    return found
