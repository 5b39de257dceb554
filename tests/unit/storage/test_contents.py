"""Tables of contents of strangers: whatever they say, the pieces they make are the blob, or there are none."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import chunked, contents
from storage.contents import InvalidContents
from tests.support import chunked as made
from tests.support.layout import Entry, directory, hardlink, layer_tar

END = 10_000
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
OFFSETS = st.integers(-1, END + 10)
ENTRIES = st.fixed_dictionaries(
    {"type": st.sampled_from(["reg", "dir", "chunk", "hardlink"])},
    optional={
        "name": st.text(max_size=3),
        "offset": OFFSETS | ANYTHING,
        "endOffset": OFFSETS | ANYTHING,
        "size": st.integers(0, 100) | ANYTHING,
        "digest": st.text(max_size=3) | ANYTHING,
        "chunkDigest": ANYTHING,
        "innerOffset": ANYTHING,
    },
)


@given(st.lists(ENTRIES | ANYTHING, max_size=8), st.integers(0, END))
def test_pieces_cover_the_blob_or_are_refused(entries: list[Any], end: int) -> None:
    at = 0
    try:
        for start, stop, _, _ in contents.pieces_of("zstd:chunked", entries, end):
            assert start == at < stop <= end
            at = stop
    except InvalidContents:
        return
    assert at == end


@given(st.binary(max_size=200), st.integers(0, 1 << 63), st.integers(0, 1 << 63))
def test_nonsense_is_no_table(data: bytes, offset: int, size: int) -> None:
    def read(at: int, count: int) -> bytes:
        return data[at : at + count]

    digest = made.digest_of(b"")
    places = {chunked.CHECKSUM: digest, chunked.POSITION: f"{offset}:{size}:9:1"}
    for told in (places, {contents.ESTARGZ_DIGEST: digest}):
        with pytest.raises(InvalidContents):
            contents.announced(told, len(data), read)
    assert contents.inside(len(data), read) is None
    last = chunked.Places(chunked.Span(offset, size), 9, chunked.Span(0, 0), 0)
    for footer in (chunked.footer(last), made.footer(offset)):
        data = bytes(64) + data + footer
        with pytest.raises(InvalidContents):
            contents.inside(len(data), read)


def layers() -> list[tuple[str, bytes, dict[str, str], bytes]]:
    noise = random.Random(1).randbytes
    entries = [directory("d/"), Entry("d/a", noise(3000)), Entry("e"), Entry("big", noise(600_000)),
               hardlink("d/b", "d/a"), Entry("last", b"x", mtime=7)]  # fmt: skip
    plain = layer_tar(entries)
    parts: list[bytes] = []
    annotations = made.write_chunked(iter([plain]), parts.append)
    star, _, annotation = made.estargz(entries)
    return [
        ("zstd:chunked", b"".join(parts), annotations, plain),
        ("estargz", star, annotation, b""),
    ]


@pytest.mark.parametrize(("kind", "blob", "annotations", "plain"), layers())
def test_tables_are_found_by_annotations_and_at_the_end(
    kind: str, blob: bytes, annotations: dict[str, str], plain: bytes
) -> None:
    asked: list[int] = []

    def read(at: int, count: int) -> bytes:
        asked.append(count)
        return blob[at : at + count]

    there = contents.announced(annotations, len(blob), read)
    here = contents.inside(len(blob), read)
    assert there is not None and here is not None
    assert there.kind == kind
    assert blob.endswith(there.tail) and there.end + len(there.tail) == len(blob)
    assert list(there.pieces) == list(here.pieces)
    assert len(list(there.pieces)) > (4 if kind == "estargz" else 6)
    assert sum(asked) < len(blob) / 3


@pytest.mark.parametrize(("kind", "blob", "annotations", "plain"), layers())
def test_a_changed_table_is_noticed(
    kind: str, blob: bytes, annotations: dict[str, str], plain: bytes
) -> None:
    key = chunked.CHECKSUM if kind == "zstd:chunked" else contents.ESTARGZ_DIGEST
    annotations = {**annotations, key: made.digest_of(b"other")}
    with pytest.raises(InvalidContents, match="digest"):
        contents.announced(annotations, len(blob), lambda at, count: blob[at : at + count])


def test_pieces_with_other_headers_are_other_pieces() -> None:
    """The header of the next file lies in the piece before it, so its time and mode count, and its content does not."""
    keys = []
    for entry in (
        Entry("b", b"1"),
        Entry("b", b"2"),
        Entry("b", b"1", mtime=3),
        Entry("b", b"1", mode=0o600),
    ):
        blob, _, _ = made.estargz([Entry("a", b"0"), entry])
        found = contents.inside(len(blob), lambda at, count, blob=blob: blob[at : at + count])  # type: ignore[misc]
        assert found is not None
        keys.append([key for _, _, key, _ in found.pieces])
    first = [key[1] for key in keys]
    assert first[0] == first[1] and first[3] != first[0]
    assert keys[0][2] != keys[1][2] and keys[0][2] == keys[3][2]


def test_a_bomb_is_too_large() -> None:
    import zstandard

    packed = zstandard.ZstdCompressor().compress(bytes(100 << 20))
    blob = chunked.skippable(packed)
    places = chunked.Places(chunked.Span(8, len(packed)), 5, chunked.Span(0, 0), 0)
    blob += chunked.skippable(chunked.footer(places))
    with pytest.raises(InvalidContents, match="too large"):
        contents.inside(len(blob), lambda at, count: blob[at : at + count])


def test_an_old_footer_is_known() -> None:
    """Of skopeo 1.9: four numbers, and another spelling of the last word."""
    packed = chunked.skippable(b"")
    data = json.dumps({"version": 1, "entries": []}).encode()
    import zstandard

    toc = zstandard.ZstdCompressor().compress(data)
    blob = packed * 3 + chunked.skippable(toc)
    numbers = (8 * 4, len(toc), len(data), 1)
    footer = b"".join(number.to_bytes(8, "little") for number in numbers) + b"GnUlInUx"
    blob += chunked.skippable(footer)
    found = contents.inside(len(blob), lambda at, count: blob[at : at + count])
    assert found is not None and found.end == 24
