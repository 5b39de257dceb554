"""WWW-Authenticate headers, as servers really write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.image.token import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("headers", "challenges"),
    [
        (
            ['Bearer realm="https://a/t",service="s",scope="repository:a/b:pull,push"'],
            [
                Challenge(
                    "bearer",
                    {"realm": "https://a/t", "service": "s", "scope": "repository:a/b:pull,push"},
                )
            ],
        ),
        (['Basic realm="x"'], [Challenge("basic", {"realm": "x"})]),
        (["BASIC Realm=x"], [Challenge("basic", {"realm": "x"})]),
        (
            ['Bearer realm = "a" , error="b", Basic realm="c"'],
            [Challenge("bearer", {"realm": "a", "error": "b"}), Challenge("basic", {"realm": "c"})],
        ),
        (["Bearer", "Basic"], [Challenge("bearer", {}), Challenge("basic", {})]),
        ([r'Bearer realm="a\"b\\c"'], [Challenge("bearer", {"realm": 'a"b\\c'})]),
        (['Bearer realm="never closed'], [Challenge("bearer", {"realm": "never closed"})]),
        (['="x"', ""], []),
        ([], []),
    ],
)
def test_challenges(headers: list[str], challenges: list[Challenge]) -> None:
    assert parse_challenges(headers) == challenges


@given(st.text(alphabet='Bearer realm="\\, \t', max_size=60) | st.text(max_size=60))
def test_any_header_is_read(header: str) -> None:
    parse_challenges([header])
