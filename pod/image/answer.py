"""One answer of an HTTP server, as the parser of httptools tells it: Node's llhttp, which is strict.

Nothing is read or sent here. A body is passed on as it comes, a head must end within _MOST_SILENT_BYTES. An answer
without a body, which has come whole and says nothing unusual, is read here: a push of what the registry has needs two
such, and the library takes longer to load than they take to come.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST_SILENT_BYTES = 128 << 10
"""So much may come one after the other that is no content: heads, interim answers, extensions of chunks, trailers."""


_UNUSUAL = frozenset({"connection", "transfer-encoding", "upgrade", "trailer"})
"""Headers by which an answer without a body is left to the library."""
_USUAL_STATUSES = frozenset("200 201 202 400 401 403 404 405 416 429 500 502 503".split())
_SHORT_BYTES = 16 << 10
_MOST_DIGITS = 18


class NotHttp(Exception):
    """What came is no answer, or is not all of one."""


def load_parser() -> Any:
    """httptools.parser.

    It wants `typing` for annotations alone, whose import takes five times as long as all else of it.
    """
    name = "typing"
    if name not in sys.modules:
        sys.modules[name] = stand_in = type(sys)(name)
        stand_in.Optional = stand_in.Protocol = object  # type: ignore[attr-defined]
        try:
            import httptools.parser
        except (ImportError, TypeError):
            pass  # another release, which takes more from there: the next line loads it whole
        finally:
            del sys.modules[name]
    import httptools.parser

    return httptools.parser


class Answer:
    """The answer to a request of some `method`. `status` is 0 and `headers` are incomplete until `has_head`."""

    def __init__(self, method: str) -> None:
        self.status = 0
        self.reason = ""
        self.headers: list[tuple[str, str]] = []  # the names in lower case
        self.has_head = False
        self.is_complete = False
        self.can_stay = False
        """Whether the connection can be used again, once the answer is complete."""
        self.body: list[bytes] = []
        """What has come of it; whoever takes it removes it."""
        self._without_body = method in ("HEAD", "CONNECT")
        self._silent_bytes = 0
        self._library: Any = None
        self._parser: Any = None
        if method == "GET":
            self._load()  # while the answer is on its way

    def _load(self) -> None:
        self._library = load_parser()
        self._parser = self._library.HttpResponseParser(self)

    def header(self, name: str) -> str:
        """The values of a header, whose name is given in lower case; empty when it is not there."""
        return ", ".join([value for known, value in self.headers if known == name])

    def feed(self, data: bytes | memoryview) -> None:
        """What has arrived. Raises NotHttp."""
        if self._parser is None:
            if self._is_short(bytes(data)):
                return
            self._load()
        before = len(self.body)
        try:
            self._parser.feed_data(data)
        except (self._library.HttpParserError, self._library.HttpParserUpgrade) as error:
            if isinstance(error, self._library.HttpParserCallbackError) and error.__context__:
                raise error.__context__ from None  # Ctrl-C, while the parser called one of ours
            if not self.is_complete:
                raise NotHttp(str(error)) from error
            self.can_stay = False  # it sent more than was asked for
        self._silent_bytes = self._silent_bytes + len(data) if len(self.body) == before else 0
        if self._silent_bytes > _MOST_SILENT_BYTES and not self.is_complete:
            raise NotHttp("its head does not end")

    def _is_short(self, data: bytes) -> bool:
        """Whether this is all of an answer without a body, and nothing about it is unusual; then it is taken."""
        if len(data) > _SHORT_BYTES or data.find(b"\r\n\r\n") != len(data) - 4:
            return False
        first, *lines = data[:-4].decode("latin-1").split("\r\n")
        if not all(line.isascii() and line.isprintable() for line in (first, *lines)):
            return False
        version, status, reason = first[:9], first[9:12], first[12:]
        if version != "HTTP/1.1 " or status not in _USUAL_STATUSES or reason[:1] != " ":
            return False
        headers: list[tuple[str, str]] = []
        length = None
        for line in lines:
            name, colon, value = line.partition(": ")
            name, value = name.lower(), value.strip(" ")
            if not colon or name in _UNUSUAL or not name.replace("-", "").isalnum():
                return False
            if name == "content-length":
                if length is not None or not value.isdecimal() or len(value) > _MOST_DIGITS:
                    return False
                length = int(value)
            headers.append((name, value))
        if length != 0 and not self._without_body:
            return False
        self.status, self.reason, self.headers = int(status), reason[1:], headers
        self.has_head = self.is_complete = self.can_stay = True
        return True

    def end(self) -> None:
        """The connection has ended, which is how bodies without a length end. Raises NotHttp."""
        self.can_stay = False
        if self.has_head and not (
            self.header("content-length") or self.header("transfer-encoding")
        ):
            self.is_complete = True
        if not self.is_complete:
            raise NotHttp("it ended too early")

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.can_stay = False
        elif not self.has_head:
            self.reason = ""
            self.headers.clear()

    def on_status(self, reason: bytes) -> None:
        if not self.has_head:
            self.reason += reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:  # what comes later is a trailer
            self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.has_head or 100 <= status < 200:
            return
        self.status, self.has_head = status, True
        if self._without_body:
            self.is_complete = True
            closes = "close" in self.header("connection").lower()
            self.can_stay = self._parser.get_http_version() == "1.1" and not closes
        else:
            self.can_stay = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        if self.is_complete:
            self.can_stay = False
        else:
            self.body.append(data)

    def on_message_complete(self) -> None:
        if self.has_head:
            self.is_complete = True
