"""The format zstd:chunked: where the table of contents of a layer is, and what it says. See chunked_write.py.

A layer's TOC comes from a stranger. Its digest stands in the manifest, so it is what the image's author wrote; what
that says is checked here as far as it can harm (sizes, offsets, digests), and in unpack.py, since files are made of the
archive's own headers and not of the TOC.
"""

from __future__ import annotations

import struct

from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

CHECKSUM = "io.github.containers.zstd-chunked.manifest-checksum"
POSITION = "io.github.containers.zstd-chunked.manifest-position"
SPLIT_POSITION = "io.github.containers.zstd-chunked.tarsplit-position"
SKIPPABLE_HEADER = 8
FOOTER_BYTES = 64
_SKIPPABLE = 0x184D2A50
_TYPE_CRFS = 1
_MAGIC = b"GNUlInUx"


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
