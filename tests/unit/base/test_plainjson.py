from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base import plainjson

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_json_reads_back_what_was_written(value: Any) -> None:
    assert json.loads(plainjson.dumps(value)) == value


@given(values, st.booleans())
def test_what_json_wrote_is_read(value: Any, ascii_only: bool) -> None:
    written = json.dumps(value, ensure_ascii=ascii_only, indent=1)
    assert plainjson.loads(written) == value
    assert plainjson.loads(f" {written}\n".encode("utf-8", "surrogatepass")) == value


@given(st.text(alphabet='{}[]":,0123456789.eE+-truefalsn \\u\n', max_size=12))
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            plainjson.loads(text)
    else:
        assert plainjson.loads(text) == expected


@pytest.mark.parametrize("data", [b"", b"\xff", b"{} {}", b'{"a":', b"\x00"])
def test_damaged_bytes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        plainjson.loads(data)


def test_tuples_are_lists() -> None:
    assert plainjson.dumps((1, ("a",))) == '[1,["a"]]'


def test_surrogates_of_odd_file_names_are_kept() -> None:
    assert json.loads(plainjson.dumps("\udcff")) == "\udcff"


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), {"a": [b""]}])
def test_what_has_no_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        plainjson.dumps(value)


def test_a_key_that_is_no_string_is_refused() -> None:
    with pytest.raises(TypeError):
        plainjson.dumps({1: 2})
