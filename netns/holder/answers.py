"""What a question about a name is answered with: bytes in, bytes out, or that somebody else has to be asked.

A container is found by its name, its short id, its host name and its aliases, with or without ".dns.podman" or the
network's name behind it, on the networks that it shares with the one that asks; addresses are found the other way, and
those of own networks that nobody has are nobody's business elsewhere. Answers may not be kept (TTL 0).

The wire format is dnslib's. RFC 1035, RFC 6891 (EDNS).
"""

from __future__ import annotations

from netns.backends import addresses
from pod.base import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

MAX_PACKET = 65535
_PLAIN_BYTES = 512  # what an answer by UDP may have without EDNS, RFC 1035 4.2.1
_LARGEST_BYTES = 1232  # and with it, so that nothing is fragmented (dnsflagday.net/2020)
_ANY_CLASS = 255  # RFC 1035 3.2.5
_MAX_LABEL, _MAX_NAME = 63, 255
_MAX_REMEMBERED = 32  # answers for one client: small ones, by UDP


def load() -> None:
    """Load what the first question would have to wait for."""
    __import__("dnslib")
    __import__("ipaddress")


class Known:
    """What can be found from where one container is, and who is asked about the rest.

    `members` are those of its networks that have names, which are called `networks`; `subnets` are those of whose
    addresses nobody else knows anything. Made once for many questions.
    """

    def __init__(
        self,
        members: Iterable[Member],
        networks: Iterable[str],
        servers: Sequence[str],
        *,
        internal: bool,
        subnets: Iterable[str] = (),
    ) -> None:
        self.servers = list(servers)
        self.internal = internal
        self._endings = [f".{it.lower()}" for it in (addresses.DOMAIN, *networks)]
        self._subnets = list(subnets)
        self._by_name: dict[str, dict[str, None]] = {}  # addresses, in order
        self._by_address: dict[str, list[str]] = {}
        self._remembered: dict[bytes, bytes | None] = {}
        for member in members:
            for name in member.names:
                self._by_name.setdefault(name, {}).update(dict.fromkeys(member.addresses))
            for address in member.addresses:
                names = self._by_address.setdefault(address, [])
                names += list(filter(_can_be_said, member.names))[:1]

    def answer_to(self, data: bytes, limit: int = 0) -> bytes | None:
        """As `answer_to` below; what was answered last is remembered, which takes a tenth of making it."""
        if limit:
            return answer_to(data, self, limit)
        question = data[2:]  # all but its number
        if question in self._remembered:
            answer = self._remembered[question]
            return data[:2] + answer if answer else answer
        answer = answer_to(data, self)
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[question] = answer and answer[2:]
        return answer

    def addresses_of(self, name: str) -> list[str] | None:
        """The addresses behind a name in lower case; None for one that is not ours.

        It may have the domain or a network's name behind it.
        """
        found = self._by_name.get(name)
        for ending in self._endings:
            if found is None and name.endswith(ending):
                found = self._by_name.get(name[: -len(ending)])
        return None if found is None else list(found)

    def names_at(self, address: str) -> list[str] | None:
        """Who has an address, by their first names; None for an address that is not of our networks."""
        if address in self._by_address:
            return self._by_address[address]
        from ipaddress import ip_address, ip_network

        wanted = ip_address(address)
        return [] if any(wanted in ip_network(it) for it in self._subnets) else None


def _can_be_said(name: str) -> bool:
    """Whether a name, which may be longer than a label may be, fits into a packet, RFC 1035 2.3.4."""
    labels = f"{name}.{addresses.DOMAIN}".split(".")
    is_short = all(0 < len(label) <= _MAX_LABEL for label in labels)
    return is_short and name.isascii() and sum(map(len, labels)) + len(labels) < _MAX_NAME


class Member:
    """A container on a network: its names in lower case, its addresses there."""

    def __init__(self, names: Iterable[str], found: Iterable[str]) -> None:
        self.names = [name.lower() for name in names]
        self.addresses = list(found)


def answer_to(data: bytes, known: Known, limit: int = 0) -> bytes | None:
    """The answer to a packet, empty for one that deserves none; None when somebody else has to be asked.

    `limit` is how long it may be, 0 for what the question says.
    """
    import dnslib

    try:
        question = dnslib.DNSRecord.parse(data)
        if question.header.qr:
            return b""
        if question.header.opcode != dnslib.OPCODE.QUERY or len(question.questions) != 1:
            return _failure(dnslib, question, dnslib.RCODE.NOTIMP)
        return _answer(dnslib, question, known, limit)
    except Exception as error:  # noqa: BLE001  whatever a parser makes of hostile bytes
        log.debug(f"a question that cannot be read: {error}")
        if len(data) < 12 or data[2] & 0x80:
            return b""
        return data[:2] + bytes([0x80 | data[2] & 0x79, dnslib.RCODE.FORMERR]) + bytes(8)


def no_answer(data: bytes) -> bytes:
    """What to say to a question that `answer_to` could read when nobody knows the answer."""
    import dnslib

    return _failure(dnslib, dnslib.DNSRecord.parse(data), dnslib.RCODE.SERVFAIL)


def _failure(dnslib: Any, question: Any, code: int) -> bytes:
    reply = question.reply(aa=0, ra=1)
    reply.header.rcode = code
    _add_edns(dnslib, question, reply)
    packed: bytes = reply.pack()
    return packed


def _add_edns(dnslib: Any, question: Any, reply: Any) -> int:
    """Answer EDNS with EDNS (RFC 6891, 6.1.1); how many bytes the answer may have."""
    for record in question.ar:
        if record.rtype == dnslib.QTYPE.OPT:
            reply.add_ar(dnslib.EDNS0(udp_len=_LARGEST_BYTES))
            asked: int = record.edns_len
            return max(_PLAIN_BYTES, min(asked, _LARGEST_BYTES))
    return _PLAIN_BYTES


def _answer(dnslib: Any, question: Any, known: Known, limit: int) -> bytes | None:
    kind = question.q.qtype
    name = str(question.q.qname).rstrip(".").lower()
    records: list[tuple[int, Any]] | None = None
    if question.q.qclass not in (dnslib.CLASS.IN, _ANY_CLASS):
        pass  # such as CHAOS, for the servers themselves
    elif kind == dnslib.QTYPE.PTR:
        address = _address_in(name)
        names = known.names_at(address) if address else None
        if names is not None:
            records = [(kind, dnslib.PTR(f"{it}.{addresses.DOMAIN}")) for it in names]
            if not names:
                return _failure(dnslib, question, dnslib.RCODE.NXDOMAIN)
    else:
        found = known.addresses_of(name)
        if found is not None:
            records = []
            for address in found:
                if ":" in address and kind in (dnslib.QTYPE.AAAA, dnslib.QTYPE.ANY):
                    records.append((dnslib.QTYPE.AAAA, dnslib.AAAA(address)))
                elif ":" not in address and kind in (dnslib.QTYPE.A, dnslib.QTYPE.ANY):
                    records.append((dnslib.QTYPE.A, dnslib.A(address)))
    if records is None:
        if not known.internal and not f".{name}".endswith(f".{addresses.DOMAIN}"):
            return None
        return _failure(dnslib, question, dnslib.RCODE.NXDOMAIN)
    reply = question.reply(aa=1, ra=1)
    for found_kind, value in records:
        reply.add_answer(dnslib.RR(question.q.qname, found_kind, rdata=value, ttl=0))
    allowed = max(limit, _add_edns(dnslib, question, reply))
    packed: bytes = reply.pack()
    return packed if len(packed) <= allowed else reply.truncate().pack()


def _address_in(name: str) -> str:
    """The address that a question of type PTR is about, RFC 1035 3.5, RFC 3596 2.5; "" for another name."""
    from ipaddress import IPv4Address, IPv6Address

    labels = name.split(".")[-3::-1]  # the last two are the domain of all addresses
    try:
        if name.endswith(".in-addr.arpa"):
            return str(IPv4Address(".".join(labels)))
        if name.endswith(".ip6.arpa") and all(len(label) == 1 for label in labels):
            return str(IPv6Address(bytes.fromhex("".join(labels))))
    except ValueError:
        pass
    return ""
