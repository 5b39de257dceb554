"""Compressed streams: other programs read them, and they are the same however the content comes."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Iterator

import pytest
import zstandard

from storage import compress

CONTENT = random.Random(7).randbytes(300_000) * 4 + b"text " * 200_000


def in_chunks(size: int) -> Iterator[bytes]:
    for at in range(0, len(CONTENT), size):
        yield CONTENT[at : at + size]


def test_gzip_is_one_member_that_all_read() -> None:
    packed = b"".join(compress.gzip(in_chunks(100_000), 6))
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert member.decompress(packed) == CONTENT
    assert member.eof
    assert member.unused_data == b""
    assert len(packed) < len(gzip.compress(CONTENT, 6)) * 1.01


@pytest.mark.parametrize("pack", [compress.gzip, compress.zstd], ids=["gzip", "zstd"])
def test_same_bytes_however_it_comes(pack: compress.Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = b"".join(pack(in_chunks(1 << 20), 5))
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert b"".join(pack(in_chunks(12_345), 5)) == packed
    assert b"".join(pack(in_chunks(1 << 20), 1)) != packed


def test_zstd() -> None:
    packed = b"".join(compress.zstd(in_chunks(1 << 20), 3))
    reader = zstandard.ZstdDecompressor().stream_reader(packed)
    assert reader.read() == CONTENT


@pytest.mark.parametrize("pack", [compress.gzip, compress.zstd], ids=["gzip", "zstd"])
def test_nothing(pack: compress.Pack) -> None:
    packed = b"".join(pack([], 3))
    plain = zlib.decompress(packed, 31) if pack is compress.gzip else zstandard.decompress(packed)
    assert plain == b""


def test_an_error_of_the_source_ends_it() -> None:
    def broken() -> Iterator[bytes]:
        yield CONTENT
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(compress.gzip(broken(), 6))
