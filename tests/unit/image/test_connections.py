"""Parts of URLs, and what is loaded for a request, in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.image.connections import Url, _parsed, _parsed_by_library, join_url

PIECES = """http https ftp :// : / ? # @ [ ] ::1 a.b A _ - é 0 80 443 65535 65536 99999 x=1 %20 . .. ; \\""".split()
PIECES += [" ", "\t", "\n", "\x7f"]


@given(
    st.tuples(
        st.sampled_from(["http://", "https://", ""]), st.lists(st.sampled_from(PIECES), max_size=8)
    )
)
def test_short_way_finds_what_the_library_does(parts: tuple[str, list[str]]) -> None:
    text = parts[0] + "".join(parts[1])
    assert _parsed(text) == _parsed_by_library(text)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://other.example/x?y=z", Url("https", "other.example", 443, "/x?y=z")),
        ("/v2/x?y", Url("http", "here.example", 5000, "/v2/x?y")),
        ("next", Url("http", "here.example", 5000, "/v2/a/next")),
        ("//other.example:81/x", Url("http", "other.example", 81, "/x")),
        ("http://bücher.example/x", Url("http", "xn--bcher-kva.example", 80, "/x")),
        ("http://[::1]:5/x", Url("http", "::1", 5, "/x")),
        ("file:///etc/passwd", None),
        ("http://[", None),
        ("http://a b/", None),
        ("http://x:99999/", None),
    ],
)
def test_where_a_redirect_leads(location: str, expected: Url | None) -> None:
    assert join_url(Url("http", "here.example", 5000, "/v2/a/b"), location) == expected


PROGRAM = """
import sys
from pod.image.answer import load_parser
parser = load_parser()
assert "typing" not in sys.modules
import typing
assert load_parser() is parser
assert typing.Optional is not object
"""


def test_the_parser_is_loaded_without_what_its_annotations_want() -> None:
    subprocess.run(
        [sys.executable, "-IS", "-c", f"import sys; sys.path = {sys.path!r}\n{PROGRAM}"], check=True
    )
