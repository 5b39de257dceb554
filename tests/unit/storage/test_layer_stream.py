"""Decompression: every format, several streams in a row, damage, and bombs."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator

import pytest
import zstandard

from pod.base.errors import PodError
from storage.compression import InvalidStream, detect
from storage.stream import (
    LayerStream,
    Limits,
    TooLarge,
    prefetched,
    read_range,
)

DATA = b"".join(b"line %d of something\n" % number for number in range(20_000))
GENEROUS = 1 << 40


def chunked_zstd(data: bytes) -> bytes:
    """Several frames and skippable ones between and behind them, as zstd:chunked has."""
    frame = zstandard.ZstdCompressor().compress
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"TOC!"
    return frame(data[:1000]) + skippable + frame(data[1000:]) + skippable


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.fixture(autouse=True, params=["isal", "zlib"])
def inflater(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds with ISA-L and, where that is not installed, with zlib."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)


def stream(
    data: bytes, chunk: int = 70_000, limits: Limits | None = None, most: int = GENEROUS
) -> LayerStream:
    source = io.BytesIO(data)
    return LayerStream(lambda: source.read(chunk), free_bytes=most, limits=limits or Limits())


@pytest.mark.parametrize("kind", COMPRESSORS)
@pytest.mark.parametrize("chunk", [1000, 70_000, 1 << 30])
def test_every_compression_is_told_by_its_bytes(kind: str, chunk: int) -> None:
    data = COMPRESSORS[kind](DATA)
    incoming = stream(data, chunk)
    assert b"".join(incoming.chunks()) == DATA
    assert incoming.compression == kind
    assert incoming.digest == "sha256:" + hashlib.sha256(DATA).hexdigest()
    assert (incoming.bytes, incoming.compressed_bytes) == (len(DATA), len(data))


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_nothing_is_a_layer_too(kind: str) -> None:
    assert b"".join(stream(COMPRESSORS[kind](b"")).chunks()) == b""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(DATA[:5]) + gzip.compress(DATA[5:]), id="gzip members"),
        pytest.param(gzip.compress(DATA) + bytes(10_000), id="gzip and zeros"),
        pytest.param(gzip.compress(b"") + gzip.compress(DATA), id="empty gzip member first"),
        pytest.param(chunked_zstd(DATA), id="zstd:chunked"),
        pytest.param(bz2.compress(DATA[:5]) + bz2.compress(DATA[5:]), id="bzip2 streams"),
        pytest.param(lzma.compress(DATA[:5]) + bytes(4) + lzma.compress(DATA[5:]), id="xz streams"),
    ],
)
@pytest.mark.parametrize("chunk", [7, 70_000])
def test_several_streams_are_one_layer(data: bytes, chunk: int) -> None:
    assert b"".join(stream(data, chunk).chunks()) == DATA


def test_an_archive_is_no_gzip_because_of_its_first_name() -> None:
    block = bytearray(512)
    block[:4] = b"\x1f\x8bab"
    block[257:263] = b"ustar\0"
    assert detect(bytes(block)) == ""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(DATA)[:-10], id="gzip cut in its trailer"),
        pytest.param(gzip.compress(DATA)[:500], id="gzip cut"),
        pytest.param(gzip.compress(DATA)[:3], id="gzip cut in its header"),
        pytest.param(gzip.compress(DATA)[:-8] + bytes(8), id="gzip with a wrong checksum"),
        pytest.param(gzip.compress(DATA) + b"trailing garbage", id="gzip and garbage"),
        pytest.param(b"\x1f\x8b\x08\x00" + b"\xff" * 1000, id="gzip of garbage"),
        pytest.param(COMPRESSORS["zstd"](DATA)[:20] + b"\xff" * 1000, id="zstd of garbage"),
        pytest.param(COMPRESSORS["zstd"](DATA)[:-1], id="zstd cut at its end"),
        pytest.param(COMPRESSORS["zstd"](DATA)[:6], id="zstd cut at its beginning"),
        pytest.param(chunked_zstd(DATA)[:-1], id="zstd:chunked cut"),
        pytest.param(COMPRESSORS["zstd"](DATA) + b"trailing garbage", id="zstd and garbage"),
        pytest.param(bz2.compress(DATA)[:-4] + bytes(4), id="bzip2 with a wrong checksum"),
        pytest.param(bz2.compress(DATA)[:500], id="bzip2 cut"),
        pytest.param(lzma.compress(DATA)[:200], id="xz cut"),
        pytest.param(lzma.compress(DATA)[:100] + b"\xff" * 1000, id="xz of garbage"),
    ],
)
def test_damage_is_named(data: bytes) -> None:
    with pytest.raises(InvalidStream):
        for _ in stream(data).chunks():
            pass


def bomb(kind: str) -> bytes:
    zeros = bytes(24 << 20)
    return {
        "gzip": lambda: zlib.compress(zeros, 9, wbits=31),
        "zstd": lambda: zstandard.ZstdCompressor().compress(zeros),
        "bzip2": lambda: bz2.compress(zeros),
        "xz": lambda: lzma.compress(zeros),
    }[kind]()


@pytest.mark.parametrize("kind", ["gzip", "zstd", "bzip2", "xz"])
def test_a_bomb_is_stopped_in_small_steps(kind: str) -> None:
    most = 10 << 20
    incoming = stream(bomb(kind), most=most)
    taken = 0
    with pytest.raises(TooLarge) as caught:
        for chunk in incoming.chunks():
            assert len(chunk) <= 4 << 20
            taken += len(chunk)
    assert taken <= most
    assert caught.value.for_disk


def test_a_bomb_is_told_by_its_ratio() -> None:
    limits = Limits(max_ratio=100, ratio_from=1 << 20)
    with pytest.raises(TooLarge, match="come out of"):
        for _ in stream(bomb("gzip"), limits=limits).chunks():
            pass


def test_small_files_may_have_any_ratio() -> None:
    limits = Limits(max_ratio=1, ratio_from=25 << 20)
    assert sum(map(len, stream(bomb("gzip"), limits=limits).chunks())) == 24 << 20


def test_zstd_may_not_ask_for_a_huge_window() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=30)
    data = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(InvalidStream):
        for _ in stream(data.compress(DATA) + data.flush()).chunks():
            pass


def test_reading_ahead_gives_the_same_and_ends_once() -> None:
    read = prefetched(stream(gzip.compress(DATA)).chunks())
    chunks = []
    while chunk := read():
        chunks.append(chunk)
    assert b"".join(chunks) == DATA
    assert read() == b""


def test_reading_ahead_passes_errors_on() -> None:
    def failing() -> Iterator[bytes]:
        yield b"first"
        raise TooLarge("too much")

    read = prefetched(failing())
    assert read() == b"first"
    with pytest.raises(PodError, match="too much"):
        read()
    assert read() == b""


def test_a_range_of_a_file_is_a_layer(tmp_path: object) -> None:
    with open(f"{tmp_path}/archive", "wb") as file:
        file.write(b"before" + gzip.compress(DATA) + b"after")
    with open(f"{tmp_path}/archive", "rb") as file:
        read = read_range(file.fileno(), 6, len(gzip.compress(DATA)))
        incoming = LayerStream(read, free_bytes=GENEROUS, limits=Limits())
        assert b"".join(incoming.chunks()) == DATA
        assert file.tell() == 0
