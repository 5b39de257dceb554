"""The reader of answers: what it takes, and that whatever else comes is Garbled and nothing worse."""

from __future__ import annotations

import socket
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.image.wire import Answer, Connection, Garbled


class Peer:
    """The other end: a connection on which `come` arrives, a few bytes at a time, and then the end."""

    def __init__(self, come: bytes, *, at_once: int = 7) -> None:
        self.come, self.at_once = come, at_once
        self.sent = b""
        self.closed = False

    def recv(self, count: int, /) -> bytes:
        data = self.come[: min(count, self.at_once)]
        self.come = self.come[len(data) :]
        return data

    def sendall(self, data: bytes, /) -> None:
        self.sent += data

    def settimeout(self, seconds: float | None, /) -> None: ...

    def fileno(self) -> int:
        return 0

    def shutdown(self, how: int, /) -> None: ...

    def close(self) -> None:
        self.closed = True


def ask(come: bytes, method: str = "GET", **headers: str) -> tuple[Answer, Peer, list[Connection]]:
    peer, kept = Peer(come), list[Connection]()
    answer = Connection(peer).send(method, "/x", {"Host": "h", **headers}, release=kept.append)
    return answer, peer, kept


def body(answer: Answer, step: int = 3) -> bytes:
    parts = list(iter(lambda: answer.read(step), b""))
    assert all(len(part) == step for part in parts[:-1])
    return b"".join(parts)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("come", "content", "again"),
    [
        pytest.param(OK + b"Content-Length: 5\r\n\r\nhello", b"hello", True, id="length"),
        pytest.param(OK + b"Content-Length: 0\r\n\r\n", b"", True, id="empty"),
        pytest.param(OK + b"content-length:5, 5\r\n\r\nhello", b"hello", True, id="length twice"),
        pytest.param(OK + b"\r\nhello", b"hello", False, id="until the end"),
        pytest.param(
            OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello", False, id="close"
        ),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False, id="HTTP/1.0"
        ),
        pytest.param(
            b"HTTP/1.0 200\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello",
            b"hello",
            True,
            id="HTTP/1.0 that lasts",
        ),
        pytest.param(
            OK + b"Transfer-Encoding: chunked\r\n\r\n"
            b"3;x=y\r\nhel\r\n00a\r\nlo, all of\r\n0\r\nTrailer: t\r\n\r\n",
            b"hello, all of",
            True,
            id="chunked",
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n"
            + OK
            + b"Content-Length: 5\r\n\r\nhello",
            b"hello",
            True,
            id="hints",
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", True, id="204"),
        pytest.param(b"HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", b"", True, id="304"),
        pytest.param(b"HTTP/1.1 200\nContent-Length: 5\n\nhello", b"hello", True, id="bare LF"),
    ],
)
def test_bodies(come: bytes, content: bytes, again: bool) -> None:
    answer, peer, kept = ask(come)
    assert body(answer) == content
    assert answer.read(5) == b""
    assert (len(kept) == 1, peer.closed) == (again, not again)


def test_head_has_no_body() -> None:
    answer, _, kept = ask(OK + b"Content-Length: 5\r\n\r\n", "HEAD")
    assert (answer.read(9), answer.header("content-LENGTH"), len(kept)) == (b"", "5", 1)


def test_what_is_asked_to_end_is_not_kept() -> None:
    answer, peer, kept = ask(OK + b"Content-Length: 5\r\n\r\nhello", Connection="close")
    assert (body(answer), kept, peer.closed) == (b"hello", [], True)


def test_headers_of_one_name() -> None:
    answer, *_ = ask(OK + b"A: one\r\nB: x\r\na:two\r\n  more\r\nContent-Length: 0\r\n\r\n")
    assert answer.all_of("A") == ["one", "two more"]
    assert answer.header("a") == "one, two more"
    assert answer.header("C") == ""


@pytest.mark.parametrize(
    "come",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-x\r\n", id="another protocol"),
        pytest.param(b"HTTP/2 200\r\n\r\n", id="version"),
        pytest.param(b"HTTP/1.1 20x OK\r\n\r\n", id="status"),
        pytest.param(b"HTTP/1.1 \xb2\xb2\xb2\r\n\r\n", id="digits of another kind"),
        pytest.param(b"HTTP/1.1 099\r\n\r\n", id="small status"),
        pytest.param(OK, id="cut in the head"),
        pytest.param(OK + b"no colon\r\n\r\n", id="no colon"),
        pytest.param(OK + b" continued\r\n\r\n", id="continued"),
        pytest.param(OK + b"A: b\r\n" * 1000, id="many headers"),
        pytest.param(OK + b"A" * 200_000, id="long line"),
        pytest.param(OK + b"Content-Length: -1\r\n\r\n", id="negative"),
        pytest.param(OK + b"Content-Length: 5, 6\r\n\r\nhello!", id="two lengths"),
        pytest.param(OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", id="absurd"),
        pytest.param(OK + b"Content-Length: 6\r\n\r\nhello", id="cut"),
        pytest.param(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", id="coding"),
        *[
            pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n" + rest, id=name)
            for name, rest in {
                "size": b"x\r\n",
                "negative size": b"-5\r\nhello\r\n0\r\n\r\n",
                "no size": b"\r\n",
                "absurd size": b"f" * 17 + b"\r\n",
                "cut chunk": b"5\r\nhel",
                "more than its size": b"5\r\nhello!\r\n0\r\n\r\n",
                "cut after a chunk": b"5\r\nhello\r\n",
                "cut in the trailers": b"0\r\nA: b\r\n",
            }.items()
        ],
    ],
)
def test_garbled(come: bytes) -> None:
    with pytest.raises(Garbled):
        body(ask(come)[0])


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes(data: bytes, framed: bool) -> None:
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n" if framed else b"HTTP/1.1 "
    try:
        answer, *_ = ask(head + data)
        assert len(body(answer)) <= len(data)
    except Garbled:
        pass


def test_what_came_before_the_end_is_not_lost() -> None:
    answer, peer, _ = ask(OK + b"Content-Length: 100\r\n\r\nhello")
    assert answer.read(50) == b"hello"
    with pytest.raises(Garbled):
        answer.read(50)
    assert peer.closed


def test_headers_cannot_be_smuggled_into_a_request() -> None:
    peer = Peer(b"")
    with pytest.raises(Garbled):
        Connection(peer).send("GET", "/", {"A": "b\r\nC: d"})
    assert (peer.sent, peer.closed) == (b"", True)


@pytest.fixture
def pair() -> Generator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_answer_of_a_server_that_does_not_want_the_body(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    theirs.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
    theirs.close()
    kept: list[Connection] = []
    chunks = (bytes(1 << 20) for _ in range(4))
    answer = Connection(ours).send("PUT", "/", {"Host": "h"}, chunks, release=kept.append)
    assert (answer.status, answer.read(9), kept) == (413, b"no", [])


def test_server_that_hangs_up_without_a_word(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.close()
    with pytest.raises(BrokenPipeError):
        Connection(ours).send("PUT", "/", {"Host": "h"}, (bytes(1 << 20) for _ in range(4)))


def test_idle_connection_that_has_ended(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    connection = Connection(ours)
    assert not connection.is_stale()
    theirs.close()
    assert connection.is_stale()
