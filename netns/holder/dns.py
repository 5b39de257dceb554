"""Names on the networks: a DNS server on each network's gateways, for the containers of that network alone.

A container is found by its name, its short id, its host name and its aliases, with or without ".dns.podman" or the
network's name behind it, on the networks that it shares with the one that asks; addresses are found the other way.
Answers come from what is connected at this moment and may not be kept (TTL 0). Everything else goes on to the name
servers of the container, of the network, or of the host, and their answer comes back as it is.

The wire format is dnslib's. RFC 1035, RFC 6891 (EDNS), RFC 7766 (TCP).
"""

from __future__ import annotations

import os
import socket

from netns.backends import addresses
from pod.base import log
from pod.linux import loop as loops

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pod.linux.loop import Loop

PORT = 53
_PLAIN_BYTES = 512  # what an answer by UDP may have without EDNS, RFC 1035 4.2.1
_LARGEST_BYTES = 1232  # and with it, so that nothing is fragmented (dnsflagday.net/2020)
_MAX_PACKET = 65535
_UPSTREAM_SECONDS = 5.0
_MAX_ASKED = 512  # questions on their way at a time; more are not answered, and asked again by who wants to know
_MAX_CONNECTIONS = 64
_IDLE_SECONDS = 10.0
_QUESTIONS_AT_ONCE = 32
_ANY_CLASS = 255  # RFC 1035 3.2.5


def load() -> None:
    """Load what the first question would have to wait for."""
    __import__("dnslib")


class Known:
    """What can be found from where one container is: its networks' members, and who is asked about the rest."""

    def __init__(
        self,
        members: Iterable[Member],
        networks: Iterable[str],
        servers: list[str],
        *,
        internal: bool,
    ) -> None:
        self.members = list(members)
        self.networks = list(networks)
        self.servers = servers
        self.internal = internal


class Member:
    """A container on a network: its names in lower case, its addresses there."""

    def __init__(self, names: Iterable[str], found: Iterable[str]) -> None:
        self.names = [name.lower() for name in names]
        self.addresses = list(found)


class Server:
    """The sockets of one gateway address. `look` gives what a client at an address may know; None for a stranger."""

    def __init__(self, loop: Loop, address: str, look: Callable[[str], Known | None]) -> None:
        self._loop = loop
        self._look = look
        self._asked: set[_Question] = set()
        self._connections: set[_Connection] = set()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._tcp = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._udp.bind((address, PORT))
            self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._tcp.bind((address, PORT))
            self._tcp.listen(_MAX_CONNECTIONS)
        except BaseException:
            self._udp.close()
            self._tcp.close()
            raise
        loop.watch(self._udp.fileno(), self._read_packets)
        loop.watch(self._tcp.fileno(), self._accept)

    def close(self) -> None:
        for sock in (self._udp, self._tcp):
            self._loop.forget(sock.fileno())
            sock.close()
        for question in list(self._asked):
            question.close()
        for connection in list(self._connections):
            connection.close()

    def _read_packets(self, _: int) -> None:
        for _turn in range(_QUESTIONS_AT_ONCE):
            try:
                data, client = self._udp.recvfrom(_MAX_PACKET)
            except OSError:
                return

            def send(answer: bytes, client: Any = client) -> None:
                try:
                    self._udp.sendto(answer, client)
                except OSError as error:
                    log.debug(f"an answer to {client[0]} was not sent: {error}")

            self._serve(data, client[0], send, by_tcp=False)

    def _accept(self, _: int) -> None:
        try:
            client, address = self._tcp.accept()
        except OSError:
            return
        if len(self._connections) >= _MAX_CONNECTIONS:
            client.close()
            return

        def ask(data: bytes, send: Callable[[bytes], None]) -> None:
            self._serve(data, address[0], send, by_tcp=True)

        self._connections.add(_Connection(self._loop, client, ask, self._connections.discard))

    def _serve(
        self, data: bytes, client: str, send: Callable[[bytes], None], *, by_tcp: bool
    ) -> None:
        known = self._look(client.partition("%")[0])
        if known is None:
            return
        answer = answer_to(data, known, _MAX_PACKET if by_tcp else 0)
        if answer is not None:
            if answer:
                send(answer)
        elif len(self._asked) < _MAX_ASKED:
            servers = known.servers or host_servers()
            self._asked.add(
                _Question(self._loop, data, servers, send, self._asked.discard, by_tcp=by_tcp)
            )


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
    records, is_ours = [], False
    if question.q.qclass not in (dnslib.CLASS.IN, _ANY_CLASS):
        pass  # such as CHAOS, for the servers themselves
    elif kind == dnslib.QTYPE.PTR:
        records = [(kind, dnslib.PTR(f"{it}.{addresses.DOMAIN}")) for it in _names_of(name, known)]
    else:
        found, is_ours = _addresses_of(name, known)
        for address in found:
            if ":" in address and kind in (dnslib.QTYPE.AAAA, dnslib.QTYPE.ANY):
                records.append((dnslib.QTYPE.AAAA, dnslib.AAAA(address)))
            elif ":" not in address and kind in (dnslib.QTYPE.A, dnslib.QTYPE.ANY):
                records.append((dnslib.QTYPE.A, dnslib.A(address)))
    if not records and not is_ours:
        if not known.internal and not f".{name}".endswith(f".{addresses.DOMAIN}"):
            return None
        return _failure(dnslib, question, dnslib.RCODE.NXDOMAIN)
    reply = question.reply(aa=1, ra=1)
    for found_kind, value in records:
        reply.add_answer(dnslib.RR(question.q.qname, found_kind, rdata=value, ttl=0))
    allowed = max(limit, _add_edns(dnslib, question, reply))
    packed: bytes = reply.pack()
    return packed if len(packed) <= allowed else reply.truncate().pack()


def _addresses_of(name: str, known: Known) -> tuple[list[str], bool]:
    """The addresses behind a name, and whether the name is one of ours."""
    found: list[str] = []
    is_ours = False
    for short in _short_names(name, known.networks):
        for member in known.members:
            if short in member.names:
                is_ours = True
                found += member.addresses
        if is_ours:
            break
    return list(dict.fromkeys(found)), is_ours


def _short_names(name: str, networks: list[str]) -> list[str]:
    """A name as containers have it: whole, and without the domain or a network's name."""
    names = [name]
    for ending in (addresses.DOMAIN, *networks):
        if name.endswith(f".{ending.lower()}"):
            names.append(name[: -len(ending) - 1])
    return names


def _names_of(name: str, known: Known) -> list[str]:
    """The container whose address a question of type PTR is about, RFC 1035 3.5, RFC 3596 2.5."""
    from ipaddress import IPv4Address, IPv6Address

    labels = name.split(".")[-3::-1]  # the last two are the domain of all addresses
    wanted: object
    try:
        if name.endswith(".in-addr.arpa"):
            wanted = IPv4Address(".".join(labels))
        elif name.endswith(".ip6.arpa") and all(len(label) == 1 for label in labels):
            wanted = IPv6Address(bytes.fromhex("".join(labels)))
        else:
            return []
    except ValueError:
        return []
    return [it.names[0] for it in known.members if str(wanted) in it.addresses]


def host_servers() -> list[str]:
    """The host's name servers; those that only the host itself reaches are asked through the outside helper."""
    found = []
    try:
        with open("/etc/resolv.conf", encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.split()
                if len(words) > 1 and words[0] == "nameserver":
                    found.append(words[1])
    except OSError:
        pass  # the outside helper knows another way, or none
    direct = [it for it in found if not it.startswith("127.") and it != "::1" and "%" not in it]
    return direct if len(direct) == len(found) and direct else [addresses.RESOLVER]


class _Question:
    """A question on its way to a name server, by the way it came, and its answer on the way back."""

    def __init__(
        self,
        loop: Loop,
        data: bytes,
        servers: list[str],
        send: Callable[[bytes], None],
        forget: Callable[[_Question], None],
        *,
        by_tcp: bool,
    ) -> None:
        self._loop = loop
        self._data = data
        self._servers = list(servers)
        self._send = send
        self._forget = forget
        self._by_tcp = by_tcp
        self._socket: socket.socket | None = None
        self._id = b""
        self._buffer = b""
        self._timer = f"question {id(self)}"
        self._next()

    def _next(self) -> None:
        """Ask the next server; give up after the last."""
        self._drop()
        if not self._servers:
            self.close()
            return
        server = self._servers.pop(0)
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        kind = socket.SOCK_STREAM if self._by_tcp else socket.SOCK_DGRAM
        self._id = os.urandom(2)  # and a new port each: an answer cannot be guessed, RFC 5452
        packet = self._id + self._data[2:]
        try:
            self._socket = socket.socket(family, kind | socket.SOCK_NONBLOCK)
            if self._by_tcp:
                self._buffer = len(packet).to_bytes(2, "big") + packet
                self._socket.connect_ex((server, PORT))
                self._loop.watch(self._socket.fileno(), self._write, loops.WRITE)
            else:
                self._socket.connect((server, PORT))
                self._socket.send(packet)
                self._loop.watch(self._socket.fileno(), self._read)
        except OSError as error:
            log.debug(f"name server {server}: {error}")
            self._next()
            return
        self._loop.set_timer(self._timer, _UPSTREAM_SECONDS, self._next)

    def _write(self, _: int) -> None:
        assert self._socket is not None
        try:
            self._buffer = self._buffer[self._socket.send(self._buffer) :]
        except OSError:
            self._next()
            return
        if not self._buffer:
            self._loop.watch(self._socket.fileno(), self._read)

    def _read(self, _: int) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            self._next()
            return
        if self._by_tcp:
            if not data:
                self._next()
                return
            self._buffer += data
            if len(self._buffer) < 2 or len(self._buffer) < 2 + int.from_bytes(
                self._buffer[:2], "big"
            ):
                return
            data = self._buffer[2 : 2 + int.from_bytes(self._buffer[:2], "big")]
        if data[:2] != self._id or len(data) < 12:
            if self._by_tcp:
                self._next()
            return  # somebody else's, or a guess
        self._send(self._data[:2] + data[2:])
        self.close()

    def _drop(self) -> None:
        self._loop.cancel_timer(self._timer)
        self._buffer = b""
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        self._drop()
        self._forget(self)


class _Connection:
    """A client that asks by TCP: each message has its length before it, RFC 1035 4.2.2."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        ask: Callable[[bytes, Callable[[bytes], None]], None],
        forget: Callable[[_Connection], None],
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._ask = ask
        self._forget = forget
        self._buffer = b""
        self._timer = f"connection {sock.fileno()}"
        sock.setblocking(False)
        loop.watch(sock.fileno(), self._read)
        loop.set_timer(self._timer, _IDLE_SECONDS, self.close)

    def _read(self, _: int) -> None:
        try:
            data = self._socket.recv(_MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._loop.set_timer(self._timer, _IDLE_SECONDS, self.close)
        self._buffer += data
        while len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < end:
                return
            message, self._buffer = self._buffer[2:end], self._buffer[end:]
            self._ask(message, self._send)

    def _send(self, answer: bytes) -> None:
        if self._socket.fileno() < 0 or not answer:
            return
        data = len(answer).to_bytes(2, "big") + answer
        try:
            if self._socket.send(data) != len(data):
                self.close()  # it does not read what it asked for
        except OSError:
            self.close()

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self._loop.cancel_timer(self._timer)
        self._loop.forget(self._socket.fileno())
        self._socket.close()
        self._forget(self)
