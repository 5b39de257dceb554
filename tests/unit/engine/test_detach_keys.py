"""The keys that leave a container running, in input that comes in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.engine.terminal import DetachKeys, parse_detach_keys

SEQUENCES = [b"\x10\x11", b"q", b"aab", b"\x18x\x1d"]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("CTRL-P", b"\x10"),
        ("ctrl-@", b"\0"),
        ("ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x1b\x1c\x1d\x1e\x1f"),
        ("a,B,,", None),
        ("a,B,9", b"aB9"),
        ("", b""),
        ("ctrl-", None),
        ("ctrl-1", None),
        ("ctrl-pq", None),
        ("ab", None),
        ("ü", None),
    ],
)
def test_grammar(text: str, keys: bytes | None) -> None:
    if keys is None:
        with pytest.raises(PodError, match="--detach-keys") as caught:
            parse_detach_keys(text)
        assert f"'{text}'" in str(caught.value) and caught.value.hint
    else:
        assert parse_detach_keys(text) == keys


def feed(keys: DetachKeys, pieces: list[bytes]) -> tuple[bytes, bool]:
    passed = b""
    for piece in pieces:
        part, is_complete = keys.feed(piece)
        passed += part
        if is_complete:
            return passed, True
    return passed, False


@given(st.sampled_from(SEQUENCES), st.lists(st.sampled_from([b"a", b"b", b"\x10", b"\x11", b"q", b"\x18x"])),
       st.lists(st.integers(1, 5)))  # fmt: skip
def test_pieces_make_no_difference(sequence: bytes, typed: list[bytes], lengths: list[int]) -> None:
    data = b"".join(typed)
    pieces = []
    rest = data
    for length in lengths:
        pieces.append(rest[:length])
        rest = rest[length:]
    passed, is_complete = feed(DetachKeys(sequence), [*pieces, rest])
    at = data.find(sequence)
    assert is_complete == (at >= 0)
    if is_complete:
        assert passed == data[:at]
    else:
        held = data[len(passed) :]
        assert data.startswith(passed) and sequence.startswith(held) and len(held) < len(sequence)


def test_without_a_sequence_everything_is_passed_on() -> None:
    assert DetachKeys(b"").feed(b"\x10\x11") == (b"\x10\x11", False)
