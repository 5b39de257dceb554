"""Answers of HTTP servers: what is read without the library is read as the library does."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pod.image.answer import Answer, NotHttp

LINES = [
    *(
        "Content-Length: 0",
        "Content-Length: 12",
        "content-length: 007",
        "Content-Length: +1",
        "Content-Length:",
    ),
    *(f"Content-Length: {'9' * 25}", "Content-Length: 1, 1", "Content-Length: \t0"),
    *("Connection: close", "Connection: keep-alive", "Transfer-Encoding: chunked", "Upgrade: h2c"),
    *(
        "Docker-Content-Digest: sha256:00",
        "Docker-Distribution-Api-Version:  registry/2.0  ",
        "X-É: y",
        "X: é",
    ),
    *(
        " folded",
        "\tfolded",
        "no colon",
        ": no name",
        "Two Words: x",
        "X_Y: z",
        "Empty: ",
        "Empty:",
        "A\x00: b",
        "A: b\x7f",
    ),
    *("Link: a\rb", "Link: a\nb", ""),
]
FIRST = [
    *(
        f"HTTP/1.1 {status} Words of it"
        for status in (100, 101, 200, 201, 202, 204, 304, 307, 401, 404, 503)
    ),
    *(
        "HTTP/1.1 200 ",
        "HTTP/1.1 200",
        "HTTP/1.0 200 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 \u00b2\u00b2\u00b2 OK",
    ),
    *("HTTP/2 200 OK", "http/1.1 200 OK", "HTTP/1.1 200 \xe9", "", "HTTP/1.1 200 OK\x00"),
]


def told(method: str, data: bytes, *, by_library: bool) -> Any:
    """What is known after `data` has come and, where the answer is not complete, the connection has ended."""
    answer = Answer(method)
    if by_library and answer._parser is None:
        answer._load()
    try:
        answer.feed(data)
        if not answer.is_complete:
            answer.end()
    except NotHttp:
        return "no answer"
    return (
        *(answer.status, answer.reason, answer.headers, answer.has_head, answer.is_complete),
        *(answer.can_stay, answer.body),
    )


@given(
    st.sampled_from(["HEAD", "PUT", "POST", "CONNECT"]),
    st.sampled_from(FIRST),
    st.lists(st.sampled_from(LINES), max_size=4),
    st.sampled_from(["", "", "more", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]),
)
@example("HEAD", "HTTP/1.1 200 OK", ["Content-Length: 12"], "")
@example("PUT", "HTTP/1.1 201 Created", ["Content-Length: 0", "Location: /v2/"], "")
def test_short_way_tells_what_the_library_does(
    method: str, first: str, lines: list[str], rest: str
) -> None:
    data = "\r\n".join([first, *lines, "", rest]).encode("latin-1", "replace")
    assert told(method, data, by_library=False) == told(method, data, by_library=True)


@pytest.mark.parametrize("cut", [1, 20, 38, -1])
def test_an_answer_that_comes_in_pieces_is_the_same(cut: int) -> None:
    data = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nX: y\r\n\r\n"
    answer = Answer("PUT")
    answer.feed(data[:cut])
    assert not answer.is_complete
    answer.feed(data[cut:])
    assert (answer.status, answer.is_complete, answer.can_stay) == (201, True, True)
    assert answer.header("x") == "y"


PROGRAM = """
import sys
from pod.image.answer import Answer
for method in ("HEAD", "PUT"):
    answer = Answer(method)
    answer.feed(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    assert answer.is_complete and answer.can_stay
assert "httptools" not in sys.modules
"""


def test_an_answer_without_a_body_needs_no_library() -> None:
    program = f"import sys; sys.path = {sys.path!r}\n{PROGRAM}"
    subprocess.run([sys.executable, "-IS", "-c", program], check=True)


def test_an_interruption_while_the_parser_calls_us_is_one() -> None:
    class Interrupted(Answer):
        def on_body(self, data: bytes) -> None:
            raise KeyboardInterrupt

    answer = Interrupted("GET")
    with pytest.raises(KeyboardInterrupt):
        answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
