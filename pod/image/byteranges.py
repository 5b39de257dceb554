"""Answers with parts of a file: one part as it is, several as multipart/byteranges; RFC 9110, 14.6."""

from __future__ import annotations

from pod.image import failures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pod.image.http import Response

_MOST_HEADER_BYTES = 8 << 10
_MOST_DIGITS = 18


def content(response: Response, ranges: Sequence[tuple[int, int]], host: str) -> Iterator[bytes]:
    """The bytes of all `ranges` (start, end), one after the other, from an answer of status 206.

    The parts must come as they were asked for, in order; `host` is who did not give them so. Raises UnexpectedAnswer.
    """
    kind, _, parameters = response.header("Content-Type").partition(";")
    body = _Body(response.chunks(), host)
    if kind.strip().lower() != "multipart/byteranges":
        at, end, _ = content_range(response.header("Content-Range"))
        if (at, end) != (ranges[0][0], ranges[-1][1]):
            raise failures.UnexpectedAnswer(host, _OTHER)
        for start, end in ranges:  # one part for all of them, with what lies between
            yield from body.until(start - at, skip=True)
            yield from body.until(end - start)
            at = end
        return
    boundary = _boundary(parameters)
    if not boundary:
        raise failures.UnexpectedAnswer(host, "its parts have no boundary")
    for start, end in ranges:
        lines = body.header(b"--" + boundary)
        if content_range(lines.get("content-range", ""))[:2] != (start, end):
            raise failures.UnexpectedAnswer(host, _OTHER)
        yield from body.until(end - start)
    body.skip_rest()


_OTHER = "it sends other parts of a blob than it was asked for"


class _Body:
    def __init__(self, chunks: Iterator[bytes], host: str) -> None:
        self._chunks = chunks
        self._host = host
        self._buffer = b""

    def until(self, count: int, *, skip: bool = False) -> Iterator[bytes]:
        """The next `count` bytes, or none of them with `skip`."""
        while count > 0:
            if not self._buffer:
                self._fill()
            piece = self._buffer[:count]
            self._buffer = self._buffer[len(piece) :]
            count -= len(piece)
            if not skip:
                yield piece

    def header(self, delimiter: bytes) -> dict[str, str]:
        """The fields of the next part, after its delimiter."""
        while (end := self._buffer.find(b"\r\n\r\n", 2)) < 0:
            if len(self._buffer) > _MOST_HEADER_BYTES:
                raise failures.UnexpectedAnswer(self._host, "a part has no end of its header")
            self._fill()
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        first, _, rest = head.removeprefix(b"\r\n").partition(b"\r\n")
        if first.rstrip() != delimiter:
            raise failures.UnexpectedAnswer(self._host, "a part begins with no boundary")
        fields = [line.partition(":") for line in rest.decode("latin-1").split("\r\n")]
        return {name.strip().lower(): value.strip() for name, _, value in fields}

    def skip_rest(self) -> None:
        """To the end, so that the connection can be used again."""
        for _, _ in zip(range(4), self._chunks, strict=False):
            pass

    def _fill(self) -> None:
        chunk = next(self._chunks, b"")
        if not chunk:
            raise failures.ConnectionLost(self._host, "the parts of a blob ended too early")
        self._buffer += chunk


def _boundary(parameters: str) -> bytes:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "boundary":
            return value.strip('"').encode("latin-1", "replace")
    return b""


def content_range(text: str) -> tuple[int, int, int | None]:
    """Start, end and total of "bytes FIRST-LAST/TOTAL"; -1 for what is no such thing. RFC 9110, 14.4."""
    unit, _, rest = text.strip().partition(" ")
    span, _, total = rest.partition("/")
    first, _, last = span.partition("-")
    start, end = whole_number(first), whole_number(last)
    if unit != "bytes" or start is None or end is None:
        return -1, -1, None
    return start, end + 1, whole_number(total)


def whole_number(text: str) -> int | None:
    """The number of bytes in a header; None for what is none, or more than any file has."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None
