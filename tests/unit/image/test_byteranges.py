"""Answers with several parts, as servers give them and as they should not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.image import byteranges, failures

DATA = bytes(range(256)) * 4
RANGES = [(10, 300), (500, 501), (1000, 1024)]


class Answer:
    def __init__(self, headers: dict[str, str], body: bytes, step: int = 7) -> None:
        self._headers, self._body, self._step = headers, body, step

    def header(self, name: str) -> str:
        return self._headers.get(name, "")

    def chunks(self) -> Iterator[bytes]:
        for at in range(0, len(self._body), self._step):
            yield self._body[at : at + self._step]


def multipart(ranges: list[tuple[int, int]], boundary: str = "b") -> bytes:
    parts = [
        f"\r\n--{boundary}\r\ncontent-range: bytes {start}-{end - 1}/{len(DATA)}\r\nX: y\r\n\r\n".encode()
        + DATA[start:end]
        for start, end in ranges
    ]
    return b"".join(parts) + f"\r\n--{boundary}--\r\n".encode()


def content(headers: dict[str, str], body: bytes, step: int = 7) -> bytes:
    answer: Any = Answer(headers, body, step)
    return b"".join(byteranges.content(cast("Any", answer), RANGES, "host"))


KIND = {"Content-Type": 'Multipart/ByteRanges; charset=x; boundary="b"'}
WANTED = b"".join(DATA[start:end] for start, end in RANGES)


@given(st.integers(1, 2000))
def test_parts_are_put_together(step: int) -> None:
    assert content(KIND, multipart(RANGES), step) == WANTED
    assert (
        content(KIND, multipart(RANGES)[2:], step) == WANTED
    )  # the first delimiter may stand at the beginning
    one = {
        "Content-Range": f"bytes 10-1023/{len(DATA)}",
        "Content-Type": "application/octet-stream",
    }
    assert content(one, DATA[10:], step) == WANTED


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param(KIND, multipart(RANGES[::-1]), id="another order"),
        pytest.param(KIND, multipart(RANGES, "c"), id="another boundary"),
        pytest.param({"Content-Type": "multipart/byteranges"}, multipart(RANGES), id="no boundary"),
        pytest.param(KIND, b"--b\r\n" + b"x" * 20_000, id="endless header"),
        pytest.param(KIND, multipart([(10, 300)]).replace(b"content-range", b"x"), id="no range"),
        pytest.param({"Content-Range": "bytes 10-299/1024"}, DATA[10:300], id="the first one only"),
        pytest.param({"Content-Range": "bytes 0-1023/1024"}, DATA, id="more"),
    ],
)
def test_other_parts_are_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(failures.UnexpectedAnswer):
        content(headers, body)


@pytest.mark.parametrize("kept", [0, 20, 100, 400])
def test_parts_that_break_off(kept: int) -> None:
    with pytest.raises(failures.ConnectionLost):
        content(KIND, multipart(RANGES)[:kept])


@given(st.binary(max_size=300), st.text(max_size=40))
def test_nonsense_is_an_error_of_the_registry(body: bytes, text: str) -> None:
    for headers in (
        KIND,
        {"Content-Range": text},
        {"Content-Type": f"multipart/byteranges; {text}"},
    ):
        with pytest.raises(failures.RegistryError):
            content(headers, body)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bytes 0-99/200", (0, 100, 200)),
        ("bytes 5-5/*", (5, 6, None)),
        ("bytes */200", (-1, -1, None)),
        ("items 0-99/200", (-1, -1, None)),
        ("", (-1, -1, None)),
    ],
)
def test_content_range(text: str, found: tuple[int, int, int | None]) -> None:
    assert byteranges.content_range(text) == found


@pytest.mark.parametrize("text", ["9" * 5000, "-1", "1e3", "", "²"])
def test_what_is_no_number_of_bytes(text: str) -> None:
    """Python itself refuses to read numbers of thousands of digits, with an error of its own."""
    assert byteranges.whole_number(text) is None
    assert byteranges.content_range(f"bytes 0-{text}/8") == (-1, -1, None)
    assert byteranges.content_range(f"bytes 0-7/{text}") == (0, 8, None)
