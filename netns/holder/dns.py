"""Names on the networks: a DNS server on each network's gateways, for the containers of that network alone.

Answers come from what is connected at this moment (answers.py). Everything else goes on to another name server
(upstream.py), and its answer comes back as it is. RFC 1035, RFC 7766 (TCP).
"""

from __future__ import annotations

from netns.holder.answers import MAX_PACKET, Known
from netns.holder.upstream import PORT, Question, host_servers
from pod.base import log
from pod.linux import inet as socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.linux.loop import Loop

_MAX_ASKED = 512  # questions on their way at a time; more are not answered, and asked again by who wants to know
_MAX_CONNECTIONS = 64
_IDLE_SECONDS = 10.0
_QUESTIONS_AT_ONCE = 32


class Server:
    """The sockets of one gateway address. `look` gives what a client at an address may know; None for a stranger."""

    def __init__(self, loop: Loop, address: str, look: Callable[[str], Known | None]) -> None:
        self._loop = loop
        self._look = look
        self._asked: set[Question] = set()
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
                data, client = self._udp.recvfrom(MAX_PACKET)
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
        answer = known.answer_to(data, MAX_PACKET if by_tcp else 0)
        if answer is not None:
            if answer:
                send(answer)
        elif len(self._asked) < _MAX_ASKED:
            servers = known.servers or host_servers()
            question = Question(self._loop, data, servers, send, self._asked.discard, by_tcp=by_tcp)
            self._asked.add(question)
            question.ask()


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
            data = self._socket.recv(MAX_PACKET)
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
