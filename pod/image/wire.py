"""An open connection to a server: TCP, perhaps through a proxy, perhaps TLS; and requests in bytes."""

from __future__ import annotations

import time

from pod.base.records import Record
from pod.image import failures
from pod.image.answer import Answer, NotHttp
from pod.linux import tcp

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping
    from typing import Any, Protocol

    class Stream(Protocol):
        """A socket, or TLS inside of one."""

        def send(self, data: bytes | memoryview, /) -> int: ...
        def recv_into(self, buffer: bytearray, /) -> int: ...


CHUNK_BYTES = 256 << 10
_JOINED_BYTES = 16 << 10


class Proxy(Record):
    """Where a proxy is, and the header with which it knows us, if it wants one. `text` is what the user set."""

    text: str
    scheme: str
    host: str
    port: int
    authorization: str


class Wire:
    """A connection. Used by one thread at a time, but for `shut_down`. `key`: for whom it can be used again."""

    def __init__(self, socket: tcp.Socket, stream: Stream | None = None) -> None:
        """`stream` is what speaks through the `socket`, when it is not that itself."""
        self.key: Any = None
        self._socket = socket
        self._stream: Stream = stream or socket
        self._buffer = bytearray(CHUNK_BYTES)
        self._seconds = 60.0
        self._limit_seconds = socket.gettimeout() or 0.0

    def set_limit(self, seconds: float) -> None:
        """How long the other side may be silent from now on."""
        self._limit_seconds = seconds
        self._socket.settimeout(seconds)

    def send(
        self, method: str, address: str, headers: Mapping[str, str], body: Iterable[bytes] = ()
    ) -> None:
        """Send a request. `headers` say how long the body is. Raises OSError."""
        lines = [f"{method} {address} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
        if not all(line.isascii() and line.isprintable() for line in lines):
            raise ValueError("a request with a line break or a letter beyond ASCII in its head")
        waiting = "\r\n".join([*lines, "", ""]).encode()
        for chunk in body:
            if waiting and len(chunk) <= _JOINED_BYTES:
                waiting += chunk
                continue
            self._send(waiting)
            waiting = b""
            self._send(chunk)
        self._send(waiting)

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:  # sendall would have all of it sent within the limit
            tcp.wait_for_room(self._socket.fileno(), self._seconds)
            view = view[self._stream.send(view) :]

    def receive(self) -> memoryview:
        """What has come, up to CHUNK_BYTES, or nothing at the end; good until the next call. Raises OSError."""
        return memoryview(self._buffer)[: self._stream.recv_into(self._buffer)]

    def head(self, method: str) -> Answer:
        """The next answer, as far as its head, and what came of its body with that. Raises OSError, NotHttp."""
        answer = Answer(method)
        until = 0.0
        while not answer.has_head:
            data = self.receive()
            # What has begun must also end in time: a head that comes letter by letter would be waited for for hours.
            now = time.monotonic()
            until = until or now + self._limit_seconds
            if now > until:
                raise TimeoutError
            if data:
                answer.feed(data)
            else:
                answer.end()
        return answer

    def is_quiet(self) -> bool:
        """Whether nothing has come that nobody asked for, such as the end."""
        return not tcp.has_something(self._socket.fileno())

    def shut_down(self) -> None:
        """Let what another thread does with it end at once."""
        tcp.shut_down(self._socket)

    def close(self) -> None:
        self._socket.close()


def connect(
    host: str, port: int, shown: str, context: ssl.SSLContext | None, seconds: float
) -> Wire:
    """A connection to a server that is called `shown`, by TLS where there is a `context`. Raises RegistryError."""
    try:
        socket = tcp.connect(host, port, seconds)
    except OSError as error:
        raise failures.explain_connecting(error, shown) from error
    return Wire(socket) if context is None else Wire(_secured(socket, context, host, shown))


def connect_through(
    proxy: Proxy, host: str, port: int, shown: str, context: ssl.SSLContext | None, seconds: float
) -> Wire:
    """As `connect`, through a proxy; without `context` it is for requests that name the whole address."""
    try:
        wire = _to_proxy(proxy, seconds)
        if context is None:
            return wire
        _ask_for_way(wire, proxy, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except failures.RegistryError as error:
        why = error.message.rpartition(": ")[2]
        raise failures.ProxyFailed(proxy.text, shown, why) from error
    socket = wire._socket
    if proxy.scheme == "http":
        return Wire(_secured(socket, context, host, shown))
    from pod.image.tls import TlsInside

    try:
        return Wire(socket, TlsInside(socket, context, host))  # type: ignore[arg-type]  # it is one of TLS
    except (OSError, ValueError) as error:
        wire.close()
        raise failures.explain_handshake(error, shown) from error


def _to_proxy(proxy: Proxy, seconds: float) -> Wire:
    context = None
    if proxy.scheme == "https":
        from pod.image.tls import context_for

        context = context_for((), verify=True)
    return connect(proxy.host, proxy.port, proxy.host, context, seconds)


def _ask_for_way(wire: Wire, proxy: Proxy, authority: str) -> None:
    """CONNECT, RFC 9110, 9.3.6; closes the wire unless that is granted."""
    headers = {"Host": authority}
    if proxy.authorization:
        headers["Proxy-Authorization"] = proxy.authorization
    try:
        wire.send("CONNECT", authority, headers)
        answer = wire.head("CONNECT")
    except (OSError, NotHttp) as error:
        wire.close()
        raise failures.explain(error, proxy.host) from error
    if answer.status != 200:
        wire.close()
        raise failures.UnexpectedAnswer(proxy.host, f"{answer.status} {answer.reason}")


def _secured(socket: tcp.Socket, context: ssl.SSLContext, host: str, shown: str) -> ssl.SSLSocket:
    try:
        # The wrapper wants no more of a socket than the C half of the socket module has.
        return context.wrap_socket(socket, server_hostname=host.rstrip("."))  # type: ignore[arg-type]
    except (OSError, ValueError) as error:
        socket.close()
        raise failures.explain_handshake(error, shown) from error
