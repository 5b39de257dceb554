"""Answers, byte by byte: what the connection they came on is good for afterwards, and what is no answer."""

from __future__ import annotations

import fcntl
import gzip
import socket
import struct
import termios
import threading
from collections.abc import Generator

import pytest

from pod.image import failures
from pod.image.connections import Settings
from pod.image.http import Body, HttpClient
from tests.support.listener import Listener
from tests.support.waiting import until

QUICK = Settings(retries=0, connect_seconds=10, idle_seconds=10)
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class RawServer(Listener):
    """Reads requests up to the end of their head, and sends what it was given, an answer for each, word by word.

    After the last answer of a script it waits for the end of the connection; None hangs up.
    """

    def __init__(self) -> None:
        self._scripts: list[list[bytes | None]] = []
        self.heads: list[bytes] = []
        self.connections = 0
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}/"

    def script(self, *answers: bytes | None) -> None:
        """What the next connection gets."""
        self._scripts.append(list(answers))

    def serve(self, client: socket.socket, number: int) -> None:
        self.connections = number + 1
        answers = self._scripts[number] if number < len(self._scripts) else []
        with client:
            try:
                for answer in answers:
                    if answer is None:
                        return
                    head = b""
                    while b"\r\n\r\n" not in head:
                        if not (letter := client.recv(1)):
                            return
                        head += letter
                    self.heads.append(head)
                    client.sendall(answer)
                while client.recv(65536):
                    pass
            except OSError:
                pass  # the client has seen enough


@pytest.fixture
def raw() -> Generator[RawServer]:
    started = RawServer()
    yield started
    started.close()


@pytest.fixture
def http() -> Generator[HttpClient]:
    client = HttpClient(QUICK)
    yield client
    client.close()


def chunked(*chunks: bytes, trailer: bytes = b"") -> bytes:
    body = b"".join(b"%x;note=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")[:-1])
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + body + b"0\r\n" + trailer + b"\r\n"


@pytest.mark.parametrize(
    ("answer", "body", "stays"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", True, id="length"),
        pytest.param(chunked(b"ab", b"c" * 70_000), b"ab" + b"c" * 70_000, True, id="chunked"),
        pytest.param(chunked(b"abc", trailer=b"X: y\r\n"), b"abc", True, id="trailer"),
        pytest.param(b"HTTP/1.1 204 Nothing\r\n\r\n", b"", True, id="204"),
        pytest.param(
            b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + EMPTY,
            b"",
            True,
            id="interim",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
            b"a",
            False,
            id="close",
        ),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", b"a", False, id="1.0"),
        pytest.param(EMPTY + b"HTTP/1.1 200 OK\r\n", b"", False, id="another begins"),
        pytest.param(EMPTY + b"noise", b"", False, id="noise behind"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
            % (len(gzip.compress(b"abc", mtime=0)), gzip.compress(b"abc", mtime=0)),
            b"abc",
            True,
            id="gzip",
        ),
    ],
)
def test_connection_is_used_again_where_it_can_be(
    raw: RawServer, http: HttpClient, answer: bytes, body: bytes, stays: bool
) -> None:
    raw.script(answer, EMPTY)
    raw.script(EMPTY)
    first = http.request("GET", raw.url, {})
    assert first.read(100_000) == body
    assert http.request("GET", raw.url, {}).read(10) == b""
    assert raw.connections == (1 if stays else 2)


def test_body_may_end_with_the_connection(raw: RawServer, http: HttpClient) -> None:
    raw.script(b"HTTP/1.1 200 OK\r\n\r\nabc", None)
    assert http.request("GET", raw.url, {}).read(10) == b"abc"


def test_answer_to_head_has_no_body(raw: RawServer, http: HttpClient) -> None:
    raw.script(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", EMPTY)
    response = http.request("HEAD", raw.url, {})
    assert response.header("content-length") == "5"
    response.close()
    http.request("GET", raw.url, {}).close()
    assert raw.connections == 1


def test_answer_to_head_with_a_body_is_not_taken_for_the_next(
    raw: RawServer, http: HttpClient
) -> None:
    raw.script(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", EMPTY)
    raw.script(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
    http.request("HEAD", raw.url, {}).close()
    answer = http.request("GET", raw.url, {})
    answer.close()
    assert answer.status == 404


def test_connection_that_ended_meanwhile_is_not_used(raw: RawServer, http: HttpClient) -> None:
    raw.script(EMPTY, None)
    raw.script(EMPTY)
    http.request("GET", raw.url, {}).read(10)
    (idle,) = http._connections._idle.values()
    until(lambda: not idle[0].is_quiet(), "the end has come")
    http.request("GET", raw.url, {}).close()
    assert raw.connections == 2


class EndsSilently(Listener):
    """Reads nothing, and ends connections without closing them when no more fits in: so nobody refuses what is sent."""

    def __init__(self) -> None:
        self.done = threading.Event()
        super().__init__()

    def serve(self, client: socket.socket, number: int) -> None:
        before, same = -1, 0
        while same < 10:
            (waiting,) = struct.unpack("i", fcntl.ioctl(client, termios.FIONREAD, bytes(4)))
            before, same = waiting, same + 1 if waiting and waiting == before else 0
            self.done.wait(0.02)
        client.shutdown(socket.SHUT_RDWR)
        self.done.wait(60)
        client.close()


def test_end_of_the_other_side_is_seen_while_it_takes_nothing(http: HttpClient) -> None:
    server = EndsSilently()
    body = Body(64 << 20, lambda: (bytes(1 << 20) for _ in range(64)))
    try:
        with pytest.raises(failures.ConnectionLost):
            http.request("PUT", f"http://127.0.0.1:{server.port}/", {}, body=body)
    finally:
        server.done.set()
        server.close()


ENDLESS = b"X: " + b"y" * 1000 + b"\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="ssh"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", id="status"),
        pytest.param(b"HTTP/1.1 101 Other\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", id="101"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + ENDLESS * 200, id="endless head"),
        pytest.param(b"HTTP/1.1 103 Hints\r\n\r\n" * 10_000, id="endless hints"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", id="folded"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", id="two lengths"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
            id="length and chunks",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", id="negative"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", id="huge"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX\0Y: a\r\n\r\n", id="nul"),
    ],
)
def test_what_is_no_answer_is_one_sentence(raw: RawServer, http: HttpClient, answer: bytes) -> None:
    raw.script(answer, None)
    with pytest.raises(failures.ConnectionLost):
        http.request("GET", raw.url, {}).read(10)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"3\r\nab", id="cut"),
        pytest.param(b"zz\r\nab\r\n", id="no number"),
        pytest.param(b"fffffffffffffffff\r\nab\r\n", id="too large"),
        pytest.param(b"2;" + b"n" * 300_000, id="endless extension"),
        pytest.param(b"2\r\nab\r\n0\r\n" + ENDLESS * 300, id="endless trailer"),
    ],
)
def test_chunks_that_are_none(raw: RawServer, http: HttpClient, body: bytes) -> None:
    raw.script(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body, None)
    with pytest.raises(failures.ConnectionLost):
        http.request("GET", raw.url, {}).read(1000)


def test_badly_compressed_words_are_one_sentence(raw: RawServer, http: HttpClient) -> None:
    raw.script(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
    with pytest.raises(failures.UnexpectedAnswer, match="compressed"):
        http.request("GET", raw.url, {}).read(1000)


def test_compressed_words_have_a_limit(raw: RawServer, http: HttpClient) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    raw.script(head + bomb)
    assert len(http.request("GET", raw.url, {}).read(1000)) == 1001


def test_answer_before_the_end_of_the_request_is_read(http: HttpClient) -> None:
    """A server that does not want a body says so, and hangs up while it is still being sent."""
    refusal = b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1)
                client.sendall(refusal)

        thread = threading.Thread(target=serve)
        thread.start()

        def body() -> Generator[bytes]:
            yield bytes(1 << 16)
            thread.join(20)
            for _ in range(99):
                yield bytes(1 << 16)

        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        response = http.request_once("PUT", url, {}, body=Body(100 << 16, body))
        assert response.status == 413
        response.close()


def test_head_that_comes_letter_by_letter_is_given_up() -> None:
    http = HttpClient(QUICK.replace(idle_seconds=0.5))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        given_up = threading.Event()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not given_up.wait(0.1):
                    client.sendall(b"y")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(failures.TimedOut):
            http.request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", {})
        given_up.set()
        thread.join(20)
    http.close()


@pytest.mark.parametrize("name", ["Authorization", "X-Note"])
def test_request_has_no_line_that_was_not_meant(
    raw: RawServer, http: HttpClient, name: str
) -> None:
    with pytest.raises(ValueError, match="line break"):
        http.request("GET", raw.url, {name: "a\r\nHost: other"})
    assert raw.heads == []


def test_cancel_ends_what_is_being_sent(http: HttpClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def body() -> Generator[bytes]:
            for _ in range(1000):
                yield b"x" * (1 << 20)

        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        seen: list[BaseException] = []

        def send() -> None:
            try:
                http.request_once("PUT", url, {}, body=Body(1000 << 20, body))
            except failures.RegistryError as error:
                seen.append(error)

        thread = threading.Thread(target=send)
        thread.start()
        client, _ = silent.accept()
        assert client.recv(1)
        http.cancel()
        thread.join(30)
        client.close()
        assert [type(error) for error in seen] == [failures.ConnectionLost]
