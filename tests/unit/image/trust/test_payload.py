"""What is signed: only the one form counts, whatever else somebody puts there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.image.trust.payload import COSIGN, SIMPLE, BadPayload, Claim, make, parse

DIGEST = "sha256:" + "0" * 64
CLAIM = Claim(DIGEST, "a.io/b:1")


def document(**changes: Any) -> dict[str, Any]:
    critical = {
        "type": SIMPLE,
        "image": {"docker-manifest-digest": DIGEST},
        "identity": {"docker-reference": "a.io/b:1"},
    }
    return {"critical": critical, "optional": {}, **changes}


@pytest.mark.parametrize("kind", [SIMPLE, COSIGN])
def test_what_is_made_is_read(kind: str) -> None:
    assert parse(make(CLAIM, kind, moment=7), kind) == CLAIM


@pytest.mark.parametrize(
    "optional", [None, {}, {"creator": "x", "timestamp": 1}, {"timestamp": 1.5}, {"other": [1]}]
)
def test_what_is_optional_may_be_anything_of_its_type(optional: Any) -> None:
    assert parse(json.dumps(document(optional=optional)).encode(), SIMPLE) == CLAIM


def test_cosign_may_leave_it_out() -> None:
    bare = document()
    del bare["optional"]
    assert parse(json.dumps(bare).encode(), SIMPLE) == CLAIM


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        json.dumps(document(more=1)).encode(),
        json.dumps(document(optional=[])).encode(),
        json.dumps(document(optional={"creator": 1})).encode(),
        json.dumps(document(optional={"timestamp": "x"})).encode(),
        json.dumps(document(optional={"timestamp": True})).encode(),
        json.dumps(document(critical=[])).encode(),
        json.dumps(document(critical={**document()["critical"], "more": 1})).encode(),
        json.dumps(document(critical={**document()["critical"], "image": {}})).encode(),
        json.dumps(document(critical={**document()["critical"], "type": COSIGN})).encode(),
        json.dumps(document()).replace(DIGEST, "sha256:1").encode(),
        json.dumps(document()).replace(DIGEST, "md5:" + "0" * 32).encode(),
        json.dumps(document()).replace('"a.io/b:1"', "7").encode(),
        json.dumps(document()).replace('"critical"', '"critical": {}, "critical"', 1).encode(),
        json.dumps(document()).replace('"type"', '"type": "x", "type"', 1).encode(),
    ],
)
def test_everything_else_is_worth_nothing(text: bytes) -> None:
    with pytest.raises(BadPayload):
        parse(text, SIMPLE)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["type", "image"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(place=st.sampled_from(["critical", "type", "image", "identity", "optional"]), value=VALUES)
def test_no_value_anywhere_makes_a_fault(place: str, value: Any) -> None:
    changed = document()
    (changed if place in changed else changed["critical"])[place] = value
    try:
        claim = parse(json.dumps(changed).encode(), SIMPLE)
    except BadPayload:
        return
    assert claim == CLAIM
    assert place == "optional" or value == document()["critical"][place]
