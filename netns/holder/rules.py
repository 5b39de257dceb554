"""The rules between networks, loaded into the kernel by messages of our own: one table, one transaction.

What nft(8) would do, without a program that each first container would have to wait for, and whose socket waits, when
it is closed, until all processors have noticed what was taken away. Only what bridges.py asks for is here: `Rule` has
the words of nft(8) for each of its parts. See netlink(7), linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import _socket
import _struct as struct  # the other one takes half a millisecond to load
import errno
import os

from netns.holder.links import attribute

TABLE = "pod"

_NETLINK_NETFILTER = 12
_NFPROTO_INET = 1
_SUBSYSTEM = 10 << 8  # NFNL_SUBSYS_NFTABLES
_BATCH_BEGIN, _BATCH_END = 16, 17
_NEWTABLE, _DELTABLE, _NEWCHAIN, _NEWRULE = 0, 2, 3, 6
_NLMSG_ERROR = 2
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_CREATE, _NLM_F_APPEND = 0x1, 0x4, 0x400, 0x800
_NLA_F_NESTED = 0x8000
_HEADER_BYTES = 16
_REPLY_BYTES = 1 << 16

_NFTA_TABLE_NAME = 1
_NFTA_CHAIN_TABLE, _NFTA_CHAIN_NAME, _NFTA_CHAIN_HOOK, _NFTA_CHAIN_TYPE = 1, 3, 4, 7
_NFTA_HOOK_HOOKNUM, _NFTA_HOOK_PRIORITY = 1, 2
_NFTA_RULE_TABLE, _NFTA_RULE_CHAIN, _NFTA_RULE_EXPRESSIONS = 1, 2, 4
_NFTA_LIST_ELEM = 1
_NFTA_EXPR_NAME, _NFTA_EXPR_DATA = 1, 2
_NFTA_DATA_VALUE, _NFTA_DATA_VERDICT = 1, 2
_NFTA_VERDICT_CODE = 1
_REGISTER, _VERDICT_REGISTER = 1, 0
_META_MARK, _META_IIFNAME, _META_OIFNAME, _META_NFPROTO = 3, 6, 7, 15
_NF_DROP, _NF_ACCEPT = 0, 1
_CT_ESTABLISHED_OR_RELATED = 0b110  # bits of NF_CT_STATE_BIT
_CT_STATE = 0
_SOCKET_TRANSPARENT = 0
_NETWORK_HEADER = 1
_SOURCE = {_socket.AF_INET: (2, 12, 4), _socket.AF_INET6: (10, 8, 16)}  # NFPROTO; offset, length
_NAME_BYTES = 16  # IFNAMSIZ

PREROUTING, FORWARD, POSTROUTING = 0, 2, 4
MANGLE, FILTER, SOURCE_NAT = -150, 0, 100


class Rule:
    """One rule: each part that is added narrows it, and the last says what happens."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def comes_by(self, interface: str) -> Rule:
        """iifname"""
        return self._add_name(_META_IIFNAME, interface, is_equal=True)

    def does_not_come_by(self, interface: str) -> Rule:
        """iifname !="""
        return self._add_name(_META_IIFNAME, interface, is_equal=False)

    def leaves_by(self, interface: str) -> Rule:
        """oifname"""
        return self._add_name(_META_OIFNAME, interface, is_equal=True)

    def does_not_leave_by(self, interface: str) -> Rule:
        """oifname !="""
        return self._add_name(_META_OIFNAME, interface, is_equal=False)

    def comes_from(self, subnet: str) -> Rule:
        """ip saddr, ip6 saddr"""
        address, _, length = subnet.partition("/")
        family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
        protocol, offset, size = _SOURCE[family]
        bits = size * 8
        mask = (((1 << int(length)) - 1) << (bits - int(length))).to_bytes(size, "big")
        packed = _socket.inet_pton(family, address)
        self._load("meta", _META_NFPROTO)
        self._compare(bytes([protocol]))
        load = _number(1, _REGISTER) + _number(2, _NETWORK_HEADER)
        self._add("payload", load + _number(3, offset) + _number(4, size))
        self._mask(mask)
        return self._compare(bytes(one & other for one, other in zip(packed, mask, strict=True)))

    def is_answer(self) -> Rule:
        """ct state established,related"""
        self._load("ct", _CT_STATE)
        self._mask(struct.pack("=I", _CT_ESTABLISHED_OR_RELATED))
        return self._compare(bytes(4), is_equal=False)

    def is_ours(self) -> Rule:
        """socket transparent 1"""
        self._add("socket", _number(1, _SOCKET_TRANSPARENT) + _number(2, _REGISTER))
        return self._compare(b"\1")

    def mark(self, mark: int) -> Rule:
        """meta mark set"""
        value = _nested(2, attribute(_NFTA_DATA_VALUE, struct.pack("=I", mark)))
        self._add("immediate", _number(1, _REGISTER) + value)
        return self._add("meta", _number(2, _META_MARK) + _number(3, _REGISTER))

    def accept(self) -> Rule:
        return self._decide(_NF_ACCEPT)

    def drop(self) -> Rule:
        return self._decide(_NF_DROP)

    def masquerade(self) -> Rule:
        return self._add("masq", b"")

    def _add_name(self, key: int, interface: str, *, is_equal: bool) -> Rule:
        self._load("meta", key)
        return self._compare(interface.encode().ljust(_NAME_BYTES, b"\0"), is_equal=is_equal)

    def _load(self, name: str, key: int) -> None:
        """Have the register hold something about the packet."""
        self._add(name, _number(1, _REGISTER) + _number(2, key))

    def _mask(self, mask: bytes) -> None:
        data = _number(1, _REGISTER) + _number(2, _REGISTER) + _number(3, len(mask))
        data += _nested(4, attribute(_NFTA_DATA_VALUE, mask))
        self._add("bitwise", data + _nested(5, attribute(_NFTA_DATA_VALUE, bytes(len(mask)))))

    def _compare(self, value: bytes, *, is_equal: bool = True) -> Rule:
        data = _number(1, _REGISTER) + _number(2, 0 if is_equal else 1)
        return self._add("cmp", data + _nested(3, attribute(_NFTA_DATA_VALUE, value)))

    def _decide(self, code: int) -> Rule:
        verdict = _nested(_NFTA_DATA_VERDICT, _number(_NFTA_VERDICT_CODE, code))
        return self._add("immediate", _number(1, _VERDICT_REGISTER) + _nested(2, verdict))

    def _add(self, name: str, data: bytes) -> Rule:
        said = _text(_NFTA_EXPR_NAME, name) + _nested(_NFTA_EXPR_DATA, data)
        self.parts.append(_nested(_NFTA_LIST_ELEM, said))
        return self


class Chain:
    """A chain of the table, which is asked about packets at one place of their way."""

    def __init__(self, name: str, kind: str, hook: int, priority: int, rules: list[Rule]) -> None:
        self.name = name
        self.kind = kind  # "filter" or "nat"
        self.hook = hook
        self.priority = priority
        self.rules = rules


class Table:
    """The table of this network namespace, and a connection to the kernel about it, which stays open.

    To close it would wait for the kernel to be done with rules that were replaced.
    """

    def __init__(self) -> None:
        kind = _socket.SOCK_RAW | _socket.SOCK_CLOEXEC
        self._socket = _socket.socket(_socket.AF_NETLINK, kind, _NETLINK_NETFILTER)
        self._is_loaded = False
        self._number = 0

    def load(self, chains: list[Chain]) -> None:
        """Have these chains in place of those there were: all or none. Raises OSError."""
        name = _text(_NFTA_TABLE_NAME, TABLE)
        parts = [self._message(_BATCH_BEGIN, 0, b"", res_id=10)]
        if self._is_loaded:
            parts.append(self._message(_SUBSYSTEM | _DELTABLE, 0, name))
        parts.append(self._message(_SUBSYSTEM | _NEWTABLE, _NLM_F_CREATE, name))
        for chain in chains:
            parts.append(self._message(_SUBSYSTEM | _NEWCHAIN, _NLM_F_CREATE, _chain(chain)))
            for rule in chain.rules:
                body = _text(_NFTA_RULE_TABLE, TABLE) + _text(_NFTA_RULE_CHAIN, chain.name)
                body += _nested(_NFTA_RULE_EXPRESSIONS, b"".join(rule.parts))
                flags = _NLM_F_CREATE | _NLM_F_APPEND
                parts.append(self._message(_SUBSYSTEM | _NEWRULE, flags, body))
        parts.append(self._message(_BATCH_END, 0, b"", res_id=10))
        self._exchange(b"".join(parts))
        self._is_loaded = True

    def _exchange(self, batch: bytes) -> None:
        self._socket.send(batch)
        has_answer = False
        while True:
            try:  # all that the kernel has to say, it has said by now
                reply = self._socket.recv(_REPLY_BYTES, _socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            _, answer, _, _, _, code = struct.unpack_from("=IHHIIi", reply)
            if answer == _NLMSG_ERROR and code:
                raise OSError(-code, os.strerror(-code), "rules")
            has_answer = True
        if not has_answer:
            raise OSError(errno.EPROTO, os.strerror(errno.EPROTO), "rules")

    def _message(self, kind: int, flags: int, body: bytes, *, res_id: int = 0) -> bytes:
        self._number += 1
        is_part = kind & _SUBSYSTEM
        family = _NFPROTO_INET if is_part else _socket.AF_UNSPEC
        flags |= _NLM_F_REQUEST | (_NLM_F_ACK if is_part else 0)
        size = _HEADER_BYTES + 4 + len(body)
        header = struct.pack("=IHHII", size, kind, flags, self._number, 0)
        return header + struct.pack(">BBH", family, 0, res_id) + body


def _chain(chain: Chain) -> bytes:
    hook = _number(_NFTA_HOOK_HOOKNUM, chain.hook) + _number(_NFTA_HOOK_PRIORITY, chain.priority)
    return (
        _text(_NFTA_CHAIN_TABLE, TABLE)
        + _text(_NFTA_CHAIN_NAME, chain.name)
        + _nested(_NFTA_CHAIN_HOOK, hook)
        + _text(_NFTA_CHAIN_TYPE, chain.kind)
    )


def _text(kind: int, text: str) -> bytes:
    return attribute(kind, text.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    """Unlike those of rtnetlink, numbers go in network order here."""
    return attribute(kind, struct.pack(">i", value))


def _nested(kind: int, data: bytes) -> bytes:
    return attribute(kind | _NLA_F_NESTED, data)
