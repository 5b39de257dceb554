"""The server for names on real sockets, in a network namespace that each test makes: forwarding, TCP, floods."""

from __future__ import annotations

import os
import random
import select
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import dnslib
import pytest

from netns.holder import dns, upstream
from netns.holder.answers import Known, Member
from pod.linux import idmap, mounts
from pod.linux.interfaces import set_up
from pod.linux.loop import Loop
from pod.linux.namespaces import CLONE_NEWNET, CLONE_NEWNS

GATEWAY, CLIENT, STRANGER = "10.77.1.1", "10.77.1.2", "10.77.1.3"
UPSTREAM, OTHER = "10.77.2.1", "10.77.2.2"


class Place:
    """Inside the namespace: a server at GATEWAY whose client is CLIENT, and a loop that is turned while one waits."""

    def __init__(self, members: list[Member], servers: list[str]) -> None:
        self.loop = Loop()
        self.known = Known(members, ["back"], servers, internal=False)
        self.server = dns.Server(
            self.loop, GATEWAY, lambda client: self.known if client == CLIENT else None
        )

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "it did not come to that"
            self.loop.turn(0.01)

    def receive(self, client: socket.socket) -> bytes:
        """What comes back, b"" at the end of a connection."""
        found: list[bytes] = []

        def is_there() -> bool:
            try:
                found.append(client.recv(65535))
            except BlockingIOError:
                return False
            return True

        self.until(is_there)
        return found[0]

    def ask(self, name: str, *, by_tcp: bool = False, kind: str = "A") -> dnslib.DNSRecord:
        packet = question(name, kind)
        with closing(client_socket(by_tcp=by_tcp)) as client:
            if not by_tcp:
                client.send(packet)
                while not client_has_answer(client, self.loop):
                    client.send(packet)  # one that came while the queue was full is lost
                return dnslib.DNSRecord.parse(client.recv(65535))
            client.send(len(packet).to_bytes(2, "big") + packet)
            data = b""
            while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
                part = self.receive(client)
                if not part:
                    raise ConnectionError("it was closed")
                data += part
            return dnslib.DNSRecord.parse(data[2:])

    def upstream(self, address: str, found: str, *before: bytes) -> None:
        """A name server that gives everything one address; before each answer it sends other packets."""
        listener = socket.create_server((address, 53))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind((address, 53))

        def answer(data: bytes) -> bytes:
            asked = dnslib.DNSRecord.parse(data)
            reply = asked.reply()
            reply.add_answer(dnslib.RR(asked.q.qname, rdata=dnslib.A(found)))
            return bytes(reply.pack())

        def on_packet(_: int) -> None:
            data, client = datagrams.recvfrom(65535)
            for packet in before:
                datagrams.sendto(packet, client)
            datagrams.sendto(answer(data), client)

        def on_connection(_: int) -> None:
            client, _address = listener.accept()

            def on_data(_: int) -> None:
                data = client.recv(65535)
                if data:
                    reply = answer(data[2:])
                    client.send(len(reply).to_bytes(2, "big") + reply)
                else:
                    self.loop.forget(client.fileno())
                    client.close()

            self.loop.watch(client.fileno(), on_data)

        self.loop.watch(datagrams.fileno(), on_packet)
        self.loop.watch(listener.fileno(), on_connection)


def client_has_answer(client: socket.socket, loop: Loop) -> bool:
    """Whether something came while the loop was turned for a while."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        loop.turn(0.01)
        if select.select([client], [], [], 0)[0]:
            return True
    return False


def question(name: str, kind: str = "A") -> bytes:
    return bytes(dnslib.DNSRecord.question(name, kind).pack())


def client_socket(address: str = CLIENT, *, by_tcp: bool = False) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM if by_tcp else socket.SOCK_DGRAM)
    client.bind((address, 0))
    client.connect((GATEWAY, 53))
    client.setblocking(False)
    return client


def inside(body: Callable[[Place], object], *, servers: tuple[str, ...] = (UPSTREAM,)) -> None:
    """Call `body` in namespaces of its own; what it raises is raised here."""

    def prepare() -> None:
        upstream._UPSTREAM_SECONDS = 20.0  # all of it is one process, which may stand still
        set_up("lo")
        for address in (GATEWAY, CLIENT, STRANGER, UPSTREAM, OTHER):
            subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
        members = [Member(["shop"], ["10.77.1.2"])]
        members += [Member([f"m{n}", "all"], [f"10.77.3.{n}"]) for n in range(1, 251)]
        body(Place(members, list(servers)))

    idmap.start_inside(prepare, what="ask", namespaces=CLONE_NEWNET | CLONE_NEWNS).result()


def addresses(reply: dnslib.DNSRecord) -> list[str]:
    return [str(it.rdata) for it in reply.rr]


@pytest.mark.parametrize("by_tcp", [False, True], ids=["udp", "tcp"])
def test_other_names_are_asked_for_elsewhere(by_tcp: bool) -> None:
    def body(place: Place) -> None:
        place.upstream(UPSTREAM, "192.0.2.7")
        assert addresses(place.ask("example.test", by_tcp=by_tcp)) == ["192.0.2.7"]
        assert addresses(place.ask("shop", by_tcp=by_tcp)) == ["10.77.1.2"]

    inside(body)


@pytest.mark.parametrize("by_tcp", [False, True], ids=["udp", "tcp"])
def test_the_next_server_is_asked_when_one_is_not_there(by_tcp: bool) -> None:
    def body(place: Place) -> None:
        place.upstream(UPSTREAM, "192.0.2.7")
        assert addresses(place.ask("example.test", by_tcp=by_tcp)) == ["192.0.2.7"]

    inside(body, servers=(OTHER, UPSTREAM))


def test_without_any_server_that_is_said_and_own_names_are_found() -> None:
    """However often: nothing is kept of a question that could not go on."""

    def body(place: Place) -> None:
        for _ in range(600):
            assert place.ask("example.test").header.rcode == dnslib.RCODE.SERVFAIL
        place.upstream(UPSTREAM, "192.0.2.7")
        place.known.servers = [UPSTREAM]
        assert addresses(place.ask("example.test")) == ["192.0.2.7"]
        assert addresses(place.ask("shop")) == ["10.77.1.2"]

    inside(body, servers=("203.0.113.1",))  # no route leads there


def test_the_way_out_goes_and_comes_back() -> None:
    """As when the host's interface is down for a while: names of containers are found meanwhile."""

    def body(place: Place) -> None:
        place.upstream(UPSTREAM, "192.0.2.7")
        assert addresses(place.ask("example.test")) == ["192.0.2.7"]
        subprocess.run(["ip", "addr", "del", f"{UPSTREAM}/32", "dev", "lo"], check=True)
        for _ in range(3):
            assert place.ask("example.test").header.rcode == dnslib.RCODE.SERVFAIL
            assert addresses(place.ask("shop")) == ["10.77.1.2"]
        subprocess.run(["ip", "addr", "add", f"{UPSTREAM}/32", "dev", "lo"], check=True)
        assert addresses(place.ask("example.test")) == ["192.0.2.7"]

    inside(body)


def test_the_hosts_servers_are_those_of_this_moment(tmp_path: Path) -> None:
    """The host changes its network, and with it /etc/resolv.conf."""
    file = tmp_path / "resolv.conf"
    file.write_text(f"nameserver {UPSTREAM}\n")

    def body(place: Place) -> None:
        mounts.bind(str(file), "/etc/resolv.conf")
        place.upstream(UPSTREAM, "192.0.2.7")
        place.upstream(OTHER, "192.0.2.8")
        assert addresses(place.ask("example.test")) == ["192.0.2.7"]
        file.write_text(f"# now\nnameserver {OTHER}\n")
        assert addresses(place.ask("example.test")) == ["192.0.2.8"]
        file.write_text("nameserver 127.0.0.53\n")  # is asked by the outside helper
        assert upstream.host_servers() == ["10.0.2.3"]
        file.write_text("")
        assert upstream.host_servers() == ["10.0.2.3"]

    inside(body, servers=())


def test_a_guessed_answer_does_not_count() -> None:
    guesses = (b"", b"\0" * 11, os.urandom(40), b"\0\0\x81\x80" + bytes(8))

    def body(place: Place) -> None:
        place.upstream(UPSTREAM, "192.0.2.7", *guesses)
        assert addresses(place.ask("example.test")) == ["192.0.2.7"]

    inside(body)


def test_strangers_are_not_answered() -> None:
    def body(place: Place) -> None:
        with closing(client_socket(STRANGER)) as stranger:
            stranger.send(question("shop"))
            assert addresses(place.ask("shop")) == ["10.77.1.2"]
            with pytest.raises(BlockingIOError):
                stranger.recv(512)

    inside(body)


def test_many_addresses_come_whole_by_tcp() -> None:
    def body(place: Place) -> None:
        short = place.ask("all")
        assert (short.header.tc, short.rr) == (1, [])
        assert len(addresses(place.ask("all", by_tcp=True))) == 250

    inside(body)


def test_a_flood_of_anything_is_survived() -> None:
    """Garbage, questions that nobody answers, and connections that say nothing."""

    def body(place: Place) -> None:
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind((UPSTREAM, 53))
        chance = random.Random(5)
        idle = []
        for _ in range(80):
            idle.append(client_socket(by_tcp=True))
            place.loop.turn(0)
        with closing(client_socket()) as client:
            for number in range(3000):
                asked = question(f"n{number}.test")
                client.send(asked if number % 2 else chance.randbytes(chance.randrange(600)))
                if number % 50 == 0:
                    place.loop.turn(0)
        assert addresses(place.ask("shop")) == ["10.77.1.2"]
        for one in idle:
            one.close()
        reply: list[dnslib.DNSRecord] = []
        while not reply:  # there is room for connections again
            try:
                reply.append(place.ask("shop", by_tcp=True))
            except (ConnectionError, dnslib.DNSError):
                continue
        assert addresses(reply[0]) == ["10.77.1.2"]
        silent.close()

    inside(body)


def test_questions_by_tcp_come_in_pieces_and_together() -> None:
    def body(place: Place) -> None:
        packet = question("shop")
        data = (len(packet).to_bytes(2, "big") + packet) * 2
        with closing(client_socket(by_tcp=True)) as client:
            for byte in data[: len(packet)]:
                client.send(bytes([byte]))
                place.loop.turn(0.01)
            client.send(data[len(packet) :])
            answered = b""
            while answered.count(b"\x04shop") < 2:
                part = place.receive(client)
                assert part
                answered += part
        with closing(client_socket(by_tcp=True)) as client:
            client.send(b"\0\x05hello")  # its answer, if any, is not an end of the server
            assert addresses(place.ask("shop", by_tcp=True)) == ["10.77.1.2"]

    inside(body)
