"""YAML of others, read with a safe loader."""

from __future__ import annotations

from typing import Any

import pytest

from pod.spec import yaml_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(b"", None, id="empty"),
        pytest.param(
            b"a: {b: [1, 'x', true]}\nc:\n- d\n",
            {"a": {"b": [1, "x", True]}, "c": ["d"]},
            id="both",
        ),
        pytest.param(b"a: yes\nb: 0644\n", {"a": "yes", "b": 644}, id="version-1.2"),
        pytest.param(b"a: &x [1]\nb: *x\n", {"a": [1], "b": [1]}, id="anchor"),
    ],
)
def test_values(text: bytes, value: Any) -> None:
    assert yaml_text.parse(text) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(b"a: 1\nb: [x", "line 2: ", id="open list"),
        pytest.param(b"a: 1\na: 2", "line 2: found duplicate key", id="same key twice"),
        pytest.param(b"x: 1\ny: !!python/object:os.system a", "line 2: ", id="object"),
        pytest.param(b"a: \xff", "", id="not UTF-8"),
        pytest.param(b"? {a: 1}\n: b", "line 1: ", id="mapping as a key"),
        pytest.param(b"a: 2001-99-99", "", id="no date"),
        pytest.param(b"[" * 10_000, "nested too deeply", id="deep"),
    ],
)
def test_mistakes_are_named_with_their_line(text: bytes, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        yaml_text.parse(text)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_written_has_no_anchors() -> None:
    labels = {"app": "web"}
    assert yaml_text.written([{"a": labels, "b": labels}]) == "a:\n  app: web\nb:\n  app: web\n"
