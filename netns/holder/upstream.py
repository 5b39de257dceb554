"""Questions that go on to a name server: of the container, of the network, or of the host."""

from __future__ import annotations

import os

from netns.backends import addresses
from netns.holder.answers import MAX_PACKET, no_answer
from pod.base import log
from pod.linux import inet as socket
from pod.linux import loop as loops

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.linux.loop import Loop

PORT = 53
_UPSTREAM_SECONDS = 2.0  # for each server; who asks waits 5 s, as a rule (resolv.conf(5))


class Question:
    """A question on its way to a name server, by the way it came, and its answer on the way back."""

    def __init__(
        self,
        loop: Loop,
        data: bytes,
        servers: list[str],
        send: Callable[[bytes], None],
        forget: Callable[[Question], None],
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

    def ask(self) -> None:
        """Ask the next server; after the last one, say that there is no answer."""
        self._drop()
        if not self._servers:
            self._send(no_answer(self._data))
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
            self.ask()
            return
        self._loop.set_timer(self._timer, _UPSTREAM_SECONDS, self.ask)

    def _write(self, _: int) -> None:
        assert self._socket is not None
        try:
            self._buffer = self._buffer[self._socket.send(self._buffer) :]
        except OSError:
            self.ask()
            return
        if not self._buffer:
            self._loop.watch(self._socket.fileno(), self._read)

    def _read(self, _: int) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            self.ask()
            return
        if self._by_tcp:
            if not data:
                self.ask()
                return
            self._buffer += data
            if len(self._buffer) < 2 or len(self._buffer) < 2 + int.from_bytes(
                self._buffer[:2], "big"
            ):
                return
            data = self._buffer[2 : 2 + int.from_bytes(self._buffer[:2], "big")]
        if data[:2] != self._id or len(data) < 12:
            if self._by_tcp:
                self.ask()
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
