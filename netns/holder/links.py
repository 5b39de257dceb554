"""Interfaces, addresses, routes and rules of the caller's network namespace, by messages to the kernel.

What ip(8) would do, without the time in which a program starts, of which each container would need some. Only what
bridges.py asks for is here. See rtnetlink(7), netlink(7), linux/if_link.h, linux/fib_rules.h.
"""

from __future__ import annotations

import _socket
import _struct as struct  # the other one takes half a millisecond to load
import errno
import os
import time

_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK, _RTM_NEWADDR, _RTM_NEWROUTE, _RTM_NEWRULE = (
    16,
    17,
    18,
    20,
    24,
    32,
)
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_EXCL, _NLM_F_CREATE = 0x1, 0x4, 0x200, 0x400
_NLMSG_ERROR = 2
_NEW = _NLM_F_CREATE | _NLM_F_EXCL

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_OPERSTATE = 1, 3, 4, 10, 16
_IFLA_LINKINFO, _IFLA_NET_NS_FD = 18, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_VETH_INFO_PEER = 1
_LOCAL = b"\x02"  # the first byte of a hardware address that no maker has given (IEEE 802)
_IFF_UP = 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFA_F_NODAD = 0x02
_RTA_OIF, _RTA_GATEWAY = 4, 5
_RT_TABLE_MAIN = 254
_RTPROT_BOOT = 3
_RT_SCOPE_UNIVERSE, _RT_SCOPE_HOST = 0, 254
_RTN_UNICAST, _RTN_LOCAL = 1, 2
_FRA_FWMARK = 10
_FR_ACT_TO_TBL = 1
_REPLY_BYTES = 1 << 16
_HEADER_BYTES, _LINK_HEADER_BYTES = 16, 16
_IF_OPER_UNKNOWN, _IF_OPER_UP = 0, 6
_CARRIER_SECONDS = 5.0  # nobody can tell how long the kernel's threads wait on a busy machine
_POLL_SECONDS = 0.0005


class Links:
    """A connection to the kernel about the network namespace in which it was made, wherever it is used. Whoever has it
    closes it.

    Each call waits for the kernel's answer and raises OSError, with the interface as its file name.
    """

    def __init__(self) -> None:
        kind = _socket.SOCK_RAW | _socket.SOCK_CLOEXEC
        self._socket = _socket.socket(_socket.AF_NETLINK, kind, _socket.NETLINK_ROUTE)
        self._number = 0

    def close(self) -> None:
        self._socket.close()

    def add_bridge(self, name: str, mtu: int = 0) -> None:
        """A bridge that is up; `mtu` 0 for the usual.

        With a hardware address of its own: one that was given none takes the lowest of its ports, so that it changes as
        containers come and go, and the others speak to the old one until they ask again, up to 45 seconds later.
        """
        own = attribute(_IFLA_ADDRESS, _LOCAL + os.urandom(5))
        self._add_link(name, own + _link_kind("bridge"), mtu)

    def add_cable(
        self, name: str, bridge: str, inside: str, namespace_fd: int, *, mac: str, mtu: int
    ) -> None:
        """A veth(4) pair: the end `name` on a bridge, and `inside`, which is not up yet, in another namespace."""
        peer = [_text(_IFLA_IFNAME, inside), _number(_IFLA_NET_NS_FD, namespace_fd)]
        if mac:
            peer.append(attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", ""))))
        if mtu:
            peer.append(_number(_IFLA_MTU, mtu))
        other = attribute(_VETH_INFO_PEER, _link_header() + b"".join(peer))
        master = _number(_IFLA_MASTER, self._index(bridge))
        self._add_link(name, _link_kind("veth", other) + master, mtu)

    def _add_link(self, name: str, what: bytes, mtu: int) -> None:
        size = _number(_IFLA_MTU, mtu) if mtu else b""
        body = _link_header(up=True) + _text(_IFLA_IFNAME, name) + size + what
        self._ask(_RTM_NEWLINK, _NEW, body, name)

    def remove(self, name: str) -> None:
        self._ask(_RTM_DELLINK, 0, _link_header() + _text(_IFLA_IFNAME, name), name)

    def set_up(self, name: str) -> None:
        self._ask(_RTM_NEWLINK, 0, _link_header(up=True) + _text(_IFLA_IFNAME, name), name)

    def wait_until_up(self, name: str, *, is_bridge: bool = False) -> None:
        """Wait until an interface that is up lets packets pass, which the kernel sees to somewhat later, in a thread.

        What is sent before is lost, and a neighbour is asked for again only after a second. A bridge lets them pass
        until it is found to have no port that does.
        """
        passing = {_IF_OPER_UP, _IF_OPER_UNKNOWN} if is_bridge else {_IF_OPER_UP}
        deadline = time.monotonic() + _CARRIER_SECONDS
        while self._state(name) not in passing and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _state(self, name: str) -> int:
        """RFC 2863's ifOperStatus in the kernel's numbers (linux/if.h)."""
        self._send(_RTM_GETLINK, 0, _link_header() + _text(_IFLA_IFNAME, name))
        reply = self._receive(name)
        place = _HEADER_BYTES + _LINK_HEADER_BYTES
        while place + 4 <= len(reply):
            length, kind = struct.unpack_from("=HH", reply, place)
            if kind == _IFLA_OPERSTATE:
                return reply[place + 4]
            place += max(4, length + -length % 4)
        return _IF_OPER_UNKNOWN

    def _index(self, name: str) -> int:
        """The number of an interface; if_nametoindex(3) would ask where this process is, not where the socket is."""
        self._send(_RTM_GETLINK, 0, _link_header() + _text(_IFLA_IFNAME, name))
        index: int = struct.unpack_from("=i", self._receive(name), _HEADER_BYTES + 4)[0]
        return index

    def _out_by(self, name: str) -> bytes:
        return _number(_RTA_OIF, self._index(name))

    def add_address(self, address: str, name: str) -> None:
        """`address` has its prefix length. Nobody else can have one of ours, so IPv6 need not ask (RFC 4862, 5.4)."""
        text, _, length = address.partition("/")
        family = _family(text)
        flags = _IFA_F_NODAD if family == _socket.AF_INET6 else 0
        index = self._index(name)
        packed = _socket.inet_pton(family, text)
        body = struct.pack("=BBBBI", family, int(length), flags, _RT_SCOPE_UNIVERSE, index)
        body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
        self._ask(_RTM_NEWADDR, _NEW, body, name)

    def lead_out(self, gateway: str, name: str) -> None:
        """Have everything that has no other way go to `gateway`."""
        family = _family(gateway)
        body = _route_header(family, _RT_TABLE_MAIN, _RT_SCOPE_UNIVERSE, _RTN_UNICAST)
        body += attribute(_RTA_GATEWAY, _socket.inet_pton(family, gateway))
        self._ask(_RTM_NEWROUTE, _NEW, body + self._out_by(name), name)

    def keep_marked(self, family: int, mark: int, table: int) -> None:
        """Take what has the mark for one's own, whomever it is addressed to."""
        rule = struct.pack("=BBBBBBBBI", family, 0, 0, 0, table, 0, 0, _FR_ACT_TO_TBL, 0)
        self._ask(_RTM_NEWRULE, _NEW, rule + _number(_FRA_FWMARK, mark), "rule")
        scope = _RT_SCOPE_HOST if family == _socket.AF_INET else _RT_SCOPE_UNIVERSE
        route = _route_header(family, table, scope, _RTN_LOCAL)
        self._ask(_RTM_NEWROUTE, _NEW, route + self._out_by("lo"), "lo")

    def _ask(self, kind: int, flags: int, body: bytes, name: str) -> None:
        self._send(kind, _NLM_F_ACK | flags, body)
        self._receive(name, _NLMSG_ERROR)

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._number += 1
        size = _HEADER_BYTES + len(body)
        header = struct.pack("=IHHII", size, kind, _NLM_F_REQUEST | flags, self._number, 0)
        self._socket.send(header + body)

    def _receive(self, name: str, expected: int = _RTM_NEWLINK) -> bytes:
        """The kernel's answer. Raises the OSError that it says."""
        reply = self._socket.recv(_REPLY_BYTES)
        _, answer, _, number, _, code = struct.unpack_from("=IHHIIi", reply)
        if answer == _NLMSG_ERROR and code:
            raise OSError(-code, os.strerror(-code), name)
        if answer != expected or number != self._number:
            raise OSError(errno.EPROTO, os.strerror(errno.EPROTO), name)
        return reply


def _family(address: str) -> int:
    return _socket.AF_INET6 if ":" in address else _socket.AF_INET


def _link_header(*, up: bool = False) -> bytes:
    flag = _IFF_UP if up else 0
    return struct.pack("=BBHiII", _socket.AF_UNSPEC, 0, 0, 0, flag, flag)


def _link_kind(kind: str, data: bytes = b"") -> bytes:
    said = _text(_IFLA_INFO_KIND, kind) + (attribute(_IFLA_INFO_DATA, data) if data else b"")
    return attribute(_IFLA_LINKINFO, said)


def _route_header(family: int, table: int, scope: int, kind: int) -> bytes:
    return struct.pack("=BBBBBBBBI", family, 0, 0, 0, table, _RTPROT_BOOT, scope, kind, 0)


def _text(kind: int, text: str) -> bytes:
    return attribute(kind, text.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def attribute(kind: int, data: bytes) -> bytes:
    """rtnetlink(7): a length, a type, the value, and what is missing to a multiple of four."""
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
