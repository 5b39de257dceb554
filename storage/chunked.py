"""The parts of a zstd:chunked layer besides its content: where its table of contents (TOC) is, frames, footer.

See chunked_write.py for the whole, contents.py for what a TOC says.
"""

from __future__ import annotations

import struct

from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

_PREFIX = "io.github.containers.zstd-chunked."
CHECKSUM = f"{_PREFIX}manifest-checksum"
POSITION = f"{_PREFIX}manifest-position"
SPLIT_POSITION = f"{_PREFIX}tarsplit-position"
_OLD_PREFIX = "io.containers.zstd-chunked."  # of podman 4 and skopeo 1.9
SKIPPABLE_HEADER = 8
FOOTER_BYTES = 64
_OLD_FOOTER_BYTES = 40  # without tar-split data
_SKIPPABLE = 0x184D2A50
_TYPE_CRFS = 1
_MAGIC, _OLD_MAGIC = b"GNUlInUx", b"GnUlInUx"


class Span(Record):
    """A range of bytes of the blob."""

    offset: int
    size: int


class Places(Record):
    """Where the TOC and the tar-split data are in the blob, without the headers of their frames, and how long they are
    when uncompressed."""

    toc: Span
    toc_size: int
    split: Span
    split_size: int
    nested: ClassVar = {"toc": Span, "split": Span}


def checksum_of(annotations: Mapping[str, str]) -> str:
    """The digest of the compressed TOC by the descriptor of a layer; "" when it says none."""
    old = CHECKSUM.replace(_PREFIX, _OLD_PREFIX)
    return annotations.get(CHECKSUM, "") or annotations.get(old, "")


def places_of(annotations: Mapping[str, str]) -> Places | None:
    """What the descriptor of a layer says; None when it is not about zstd:chunked, or nothing that we know."""
    old = POSITION.replace(_PREFIX, _OLD_PREFIX)
    position = _numbers(annotations.get(POSITION, "") or annotations.get(old, ""), 4)
    split = _numbers(annotations.get(SPLIT_POSITION, ""), 3) or [0, 0, 0]
    if position is None or position[3] != _TYPE_CRFS:
        return None
    return Places(Span(position[0], position[1]), position[2], Span(split[0], split[1]), split[2])


def places_in(last: bytes) -> Places | None:
    """What the footer says, in the last FOOTER_BYTES of a blob; None when there is none."""
    if last[-8:] == _OLD_MAGIC:
        last = last[-_OLD_FOOTER_BYTES:-8] + bytes(24) + _MAGIC
    if len(last) != FOOTER_BYTES or last[-8:] != _MAGIC:
        return None
    numbers = struct.unpack("<7Q", last[:-8])
    if numbers[3] != _TYPE_CRFS:
        return None
    return Places(Span(*numbers[:2]), numbers[2], Span(*numbers[4:6]), numbers[6])


def _numbers(text: str, count: int) -> list[int] | None:
    fields = text.split(":")
    if len(fields) != count or not all(
        it.isascii() and it.isdigit() and len(it) < 20 for it in fields
    ):
        return None
    return [int(field) for field in fields]


def skippable(content: bytes) -> bytes:
    """A frame that a decompressor skips, RFC 8878, 3.1.2."""
    return struct.pack("<II", _SKIPPABLE, len(content)) + content


def footer(places: Places) -> bytes:
    """What the last frame of the blob has: the same as the annotations, for those who have the blob alone."""
    toc, split = places.toc, places.split
    return (
        struct.pack(
            "<7Q",
            toc.offset,
            toc.size,
            places.toc_size,
            _TYPE_CRFS,
            split.offset,
            split.size,
            places.split_size,
        )
        + _MAGIC
    )


def describe(places: Places, checksum: str) -> dict[str, str]:
    """For the descriptor of the layer; `checksum` is the digest of the compressed TOC."""
    toc, split = places.toc, places.split
    return {
        CHECKSUM: checksum,
        POSITION: f"{toc.offset}:{toc.size}:{places.toc_size}:{_TYPE_CRFS}",
        SPLIT_POSITION: f"{split.offset}:{split.size}:{places.split_size}",
    }
