"""HTTP/1.1 on one connection: a request goes out, an answer comes in. Source: RFC 9112.

What registries need of it and no more, because importing http.client takes as long as a push that has nothing to send.
It knows no redirects and no second attempts. What breaks leaves as OSError, ssl's errors among them, or as Garbled.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Protocol

    class Stream(Protocol):
        """What is used of a socket, with or without TLS around it."""

        def recv(self, count: int, /) -> bytes: ...
        def sendall(self, data: bytes, /) -> None: ...
        def settimeout(self, seconds: float | None, /) -> None: ...
        def fileno(self) -> int: ...
        def shutdown(self, how: int, /) -> None: ...
        def close(self) -> None: ...


_READ_BYTES = 64 << 10
_MOST_LINE_BYTES = 64 << 10
_MOST_LINES = 200


class Garbled(Exception):
    """What came is no HTTP, or ended before it was complete."""


class Connection:
    """To one server, or to a proxy on its behalf. Used by one thread at a time; `abort` by any."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] = (),
        *,
        release: Callable[[Connection], None] | None = None,
    ) -> Answer:
        """Send a request, and read the head of the answer. `headers` are complete, and say how long `body` is.

        The connection is busy until the answer was read; then it goes to `release` if it can be used again, and is
        closed otherwise. Raises OSError, Garbled.
        """
        failure = None
        try:
            head = _head(f"{method} {target} HTTP/1.1", headers)
            try:
                self._stream.sendall(head)
                for chunk in body:
                    self._stream.sendall(chunk)
            except (BrokenPipeError, ConnectionResetError) as error:
                failure = error  # a server may hang up on what it does not want, having said why
            keep = failure is None and headers.get("Connection", "").lower() != "close"
            try:
                return Answer(self, method, release if keep else None)
            except (OSError, Garbled):
                if failure is not None:
                    raise failure from None
                raise
        except BaseException:
            self.close()
            raise

    def tunnel(self, place: str, headers: Mapping[str, str]) -> int:
        """Ask a proxy for a connection to `place`, and return the status; after 2xx the stream is that connection.

        Raises OSError, Garbled.
        """
        self._stream.sendall(_head(f"CONNECT {place} HTTP/1.1", headers))
        _, status = _status(self.line())
        _fields(self)
        if status // 100 == 2 and self._buffer:
            raise Garbled  # of TLS, the client speaks first
        return status

    def line(self) -> bytes:
        """The next line, without its end."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _MOST_LINE_BYTES:
                raise Garbled
            data = self._stream.recv(_READ_BYTES)
            if not data:
                raise Garbled
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.removesuffix(b"\r")

    def some(self, count: int) -> bytes:
        """At least one byte and at most `count`; none at the end of the connection."""
        if self._buffer:
            data = bytes(self._buffer[:count])
            del self._buffer[:count]
            return data
        return self._stream.recv(count)

    def is_stale(self) -> bool:
        """Whether an idle connection cannot be used again: the other side has hung up, or talks unasked."""
        import select

        poll = select.poll()
        poll.register(self._stream.fileno(), select.POLLIN)
        return bool(self._buffer) or bool(poll.poll(0))

    def abort(self) -> None:
        """Let a read in another thread end at once."""
        import socket

        try:
            if isinstance(self._stream, socket.socket):
                # Not the method of a TLS socket, which takes the TLS away under the hands of the other thread.
                socket.socket.shutdown(self._stream, socket.SHUT_RDWR)
            else:
                self._stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has ended by itself

    def close(self) -> None:
        self._stream.close()


class Answer:
    """An answer whose body has not been read."""

    def __init__(
        self,
        connection: Connection,
        method: str,
        release: Callable[[Connection], None] | None,
    ) -> None:
        self._connection: Connection | None = connection
        self._release = release
        version, self.status = _status(connection.line())
        self.fields = _fields(connection)
        while self.status // 100 == 1:  # "100 Continue", "103 Early Hints"
            version, self.status = _status(connection.line())
            self.fields = _fields(connection)
        self._failure: BaseException | None = None
        self._left: int | None = None
        """Bytes until the end of the body, or of a chunk; None until the connection ends."""
        self._chunked = self._within = False
        self._frame(method)
        words = self.header("Connection").lower()
        if "close" in words or (version < b"HTTP/1.1" and "keep-alive" not in words):
            self._release = None
        if self._left == 0 and not self._chunked:
            self._end()

    def header(self, name: str) -> str:
        """The value of a header, several of them joined; empty without one."""
        return ", ".join(self.all_of(name))

    def all_of(self, name: str) -> list[str]:
        """The values of all headers with this name."""
        wanted = name.lower()
        return [value for field, value in self.fields if field == wanted]

    def read(self, count: int) -> bytes:
        """The next `count` bytes of the body, fewer only at its end or before an error, which the next call raises.

        Raises OSError, Garbled.
        """
        parts: list[bytes] = []
        while count > 0 and self._connection is not None:
            if self._failure is not None:
                self.close()
                raise self._failure
            try:
                part = self._part(self._connection, count)
            except (OSError, Garbled) as error:
                self._failure = error
                if not parts:
                    continue
                break
            if not part:
                break
            parts.append(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def abort(self) -> None:
        """Let a read in another thread end at once."""
        if (connection := self._connection) is not None:
            connection.abort()

    def close(self) -> None:
        """What was not read is not wanted."""
        if (connection := self._connection) is not None:
            self._connection = None
            connection.close()

    def _frame(self, method: str) -> None:
        """How long the body is; RFC 9112, 6.3."""
        if method == "HEAD" or self.status in (204, 304):
            self._left = 0
        elif codings := self.header("Transfer-Encoding").lower():
            if codings != "chunked":
                raise Garbled
            self._chunked, self._left = True, 0
        elif lengths := {text.strip() for text in self.header("Content-Length").split(",")} - {""}:
            (length, *others) = lengths
            if others or not (length.isascii() and length.isdecimal()) or len(length) > 18:
                raise Garbled
            self._left = int(length)

    def _part(self, connection: Connection, count: int) -> bytes:
        """Some bytes of the body, and none at its end."""
        if self._chunked and self._left == 0:
            self._next_chunk(connection)
            if self._connection is None:
                return b""
        data = connection.some(count if self._left is None else min(count, self._left))
        if not data:
            if self._left is not None:
                raise Garbled
            self._release = None
            self._end()
        elif self._left is not None:
            self._left -= len(data)
            if self._left == 0 and not self._chunked:
                self._end()
        return data

    def _next_chunk(self, connection: Connection) -> None:
        if self._within and connection.line():  # the end of the line after the last one
            raise Garbled
        self._within = True
        text = connection.line().partition(b";")[0].strip()
        if not text or text.strip(b"0123456789abcdefABCDEF") or len(text) > 15:
            raise Garbled
        self._left = int(text, 16)
        if self._left == 0:
            _fields(connection)  # trailers, which nobody needs
            self._end()

    def _end(self) -> None:
        """All of the body was read."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._release is not None:
            self._release(connection)
        else:
            connection.close()


def _head(first: str, headers: Mapping[str, str]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    for line in lines:
        if any(c in line for c in "\r\n\0"):
            raise Garbled  # a server that hopes that we repeat what it said
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _status(line: bytes) -> tuple[bytes, int]:
    version, _, rest = line.partition(b" ")
    code = rest[:3]
    if not (version.startswith(b"HTTP/1.") and len(code) == 3 and code.isdigit()) or code < b"100":
        raise Garbled
    return version, int(code)


def _fields(connection: Connection) -> list[tuple[str, str]]:
    """Header lines until the empty one: names in lower case, and values."""
    fields: list[tuple[str, str]] = []
    for _ in range(_MOST_LINES):
        line = connection.line().decode("latin-1")
        if not line:
            return fields
        if line[0] in " \t":  # the continuation of the last one, as servers wrote it once
            if not fields:
                raise Garbled
            name, value = fields.pop()
            fields.append((name, f"{value} {line.strip()}"))
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise Garbled
        fields.append((name.strip().lower(), value.strip()))
    raise Garbled
