"""zstd:chunked: what the writer makes is a zstd stream for everybody, and a table of contents for those who ask."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import tarfile
from base64 import b64decode
from typing import Any

import pytest
import zstandard

from storage import compression
from storage.chunked import CHECKSUM, POSITION, SPLIT_POSITION
from storage.chunked_write import write_chunked
from storage.crc64 import crc64
from storage.tarsplit import read_tar_split

BIG = os.urandom(5 << 20)


def archive(
    *members: tuple[str, bytes | None], form: int = tarfile.PAX_FORMAT, **changes: Any
) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=form) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.mtime, info.pax_headers = 1.5, dict(changes)  # type: ignore[assignment]  # a fraction
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content or b""))
    return data.getvalue()


def chunked(data: bytes, step: int = 10_000, level: int | None = None) -> tuple[bytes, Any]:
    out: list[bytes] = []
    steps = (data[at : at + step] for at in range(0, len(data), step))
    found = write_chunked(steps, out.append, level=level)
    return b"".join(out), found


def plain(blob: bytes) -> bytes:
    pieces = [blob, b""]
    return b"".join(compression.decompress("zstd", lambda: pieces.pop(0)))


def unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def contents(
    blob: bytes, annotations: dict[str, str]
) -> tuple[Any, list[tuple[bytes, bytes, int]]]:
    """The TOC and the parts of the tar-split data, found by the annotations and checked against them."""
    at, size, real, kind = (int(number) for number in annotations[POSITION].split(":"))
    packed = blob[at : at + size]
    assert f"sha256:{hashlib.sha256(packed).hexdigest()}" == annotations[CHECKSUM]
    assert (len(unzstd(packed)), kind) == (real, 1)
    toc = json.loads(unzstd(packed))
    at, size, real = (int(number) for number in annotations[SPLIT_POSITION].split(":"))
    split = blob[at : at + size]
    assert f"sha256:{hashlib.sha256(split).hexdigest()}" == toc["tarSplitDigest"]
    assert len(unzstd(split)) == real
    return toc, list(read_tar_split(iter(unzstd(split).splitlines())))


MEMBERS = (
    ("etc", None),
    ("etc/empty", b""),
    ("etc/hosts", b"127.0.0.1"),
    ("big", BIG),
    ("end", b"x" * 512),
)


def test_it_is_a_zstd_stream_of_the_archive() -> None:
    data = archive(*MEMBERS)
    for step in (100, 512, 99_999, len(data)):
        blob, _ = chunked(data, step)
        assert plain(blob) == data


def test_the_same_archive_gives_the_same_bytes() -> None:
    data = archive(*MEMBERS)
    first, annotations = chunked(data, 512)
    assert (first, annotations) == chunked(data, 77_777)
    assert first != chunked(data, level=15)[0]


def test_each_file_can_be_unpacked_alone() -> None:
    blob, annotations = chunked(archive(*MEMBERS))
    toc, _ = contents(blob, annotations)
    assert toc["version"] == 1
    names = [entry["name"] for entry in toc["entries"] if entry["type"] != "chunk"]
    assert names == ["etc/", "etc/empty", "etc/hosts", "big", "end"]
    found: dict[str, bytes] = {}
    entries = toc["entries"]
    for number, entry in enumerate(entries):
        if "offset" not in entry:
            continue
        following = [e["offset"] for e in entries[number + 1 :] if e["name"] == entry["name"]]
        whole = next(e for e in entries if e["name"] == entry["name"])
        end = following[0] if following else whole["endOffset"]
        piece = unzstd(blob[entry["offset"] : end])
        if "chunkDigest" in entry:
            assert entry["chunkDigest"] == f"sha256:{hashlib.sha256(piece).hexdigest()}"
            assert entry["chunkSize"] == len(piece)
        assert entry.get("chunkOffset", 0) == len(found.get(entry["name"], b""))
        found[entry["name"]] = found.get(entry["name"], b"") + piece
    assert found == {name: content for name, content in MEMBERS if content}
    for entry in entries:
        if content := found.get(entry["name"]) if entry["type"] == "reg" else None:
            assert entry["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
            assert entry["size"] == len(content)


def test_the_archive_comes_back_from_tar_split_data() -> None:
    data = archive(*MEMBERS) + bytes(10_240)
    blob, annotations = chunked(data)
    _, parts = contents(blob, annotations)
    files = {name.encode(): content for name, content in MEMBERS}
    again = [segment or files[name] for name, segment, _ in parts]
    assert b"".join(part for part in again if part) == data


def test_tar_split_lines_are_those_of_go() -> None:
    """Types, null for no content, sizes, and the checksum with its first byte first."""
    blob, annotations = chunked(archive(("a", b"123456789"), ("b", b"")))
    at, size, _ = (int(number) for number in annotations[SPLIT_POSITION].split(":"))
    lines = [json.loads(line) for line in unzstd(blob[at : at + size]).splitlines()]
    assert [line["position"] for line in lines] == list(range(len(lines)))
    files = [line for line in lines if line["type"] == 1]
    assert files[0] == {
        "type": 1,
        "name": "a",
        "size": 9,
        "payload": files[0]["payload"],
        "position": 1,
    }
    assert b64decode(files[0]["payload"]).hex() == "b90956c775a41001"
    assert files[1]["payload"] is None and "size" not in files[1]


def test_the_footer_says_the_same_as_the_annotations() -> None:
    blob, annotations = chunked(archive(*MEMBERS))
    *numbers, magic = struct.unpack("<7Q8s", blob[-64:])
    assert magic == b"GNUlInUx" and blob[-72:-64] == b"\x50\x2a\x4d\x18\x40\0\0\0"
    shown = ":".join(map(str, numbers[:4])), ":".join(map(str, numbers[4:]))
    assert shown == (annotations[POSITION], annotations[SPLIT_POSITION])


def test_what_an_entry_has_is_in_the_table() -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, link in (("ln", tarfile.SYMTYPE, "to"), ("hard", tarfile.LNKTYPE, "ln"),
                                 ("tty", tarfile.CHRTYPE, ""), ("pipe", tarfile.FIFOTYPE, "")):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.devmajor, info.devminor = kind, link, 4, 64
            info.uid, info.gid, info.mode, info.mtime = 7, 8, 0o4755, 1_700_000_000.25  # type: ignore[assignment]
            info.pax_headers = {"SCHILY.xattr.user.x": "v", "atime": "2.5"}
            tar.addfile(info)
    blob, annotations = chunked(data.getvalue())
    toc, _ = contents(blob, annotations)
    first = toc["entries"][0]
    assert first == {
        "type": "symlink", "name": "ln", "linkName": "to", "uid": 7, "gid": 8, "mode": 0o4755,
        "modtime": "2023-11-14T22:13:20.25Z", "accesstime": "1970-01-01T00:00:02.5Z",
        "xattrs": {"user.x": "dg=="},
    }  # fmt: skip
    assert [entry["type"] for entry in toc["entries"]] == ["symlink", "hardlink", "char", "fifo"]
    assert (toc["entries"][2]["devMajor"], toc["entries"][2]["devMinor"]) == (4, 64)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(archive(("a", b"1"), ("a", b"2" * 3_000_000), ("b", b"3")), id="twice"),
        pytest.param(archive(("a", b"1"), **{"GNU.sparse.size": "1", "GNU.sparse.map": "0,1"}), id="sparse"),
        pytest.param(archive(("\udcff", b"1"), form=tarfile.GNU_FORMAT), id="no UTF-8"),
    ],
)  # fmt: skip
def test_what_no_table_can_describe_becomes_a_plain_stream(data: bytes) -> None:
    blob, annotations = chunked(data)
    assert annotations == {}
    assert plain(blob) == data
    assert b"GNUlInUx" not in blob


def test_crc64_is_that_of_go() -> None:
    assert (
        crc64(b"123456789") == 0xB90956C775A41001
    )  # CRC-64/GO-ISO in the catalogue of parametrised CRCs
    data = BIG[:50_000]
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0xD800000000000000 if number & 1 else 0)  # noqa: PLW2901
        table.append(number)
    state = (1 << 64) - 1
    sums = [0]
    for byte in data:
        state = table[(state ^ byte) & 255] ^ state >> 8
        sums.append(state ^ (1 << 64) - 1)
    for end in (*range(20), 511, 512, 513, 520, 5000, 32_767, 32_768, 40_960, 40_961, 50_000):
        assert crc64(data[:end]) == sums[end]
        for cut in (1, 7, 8, 9, 512, 8192):
            if cut <= end:
                assert crc64(data[cut:end], sums[cut]) == sums[end]
