"""Reading tar archives: every format that layers come in, and everything that is not one."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import PodError
from storage import tar

LONG = "d" * 90 + "/" + "f" * 150


def read(data: bytes, chunk: int = 1 << 16) -> list[tuple[tar.Entry, bytes]]:
    """All entries with their data, the archive coming in chunks of this size."""
    stream = io.BytesIO(data)
    reader = tar.TarReader(lambda: stream.read(chunk))
    found = []
    while (entry := reader.next_entry()) is not None:
        found.append((entry, b"".join(reader.data())))
    reader.drain()
    assert stream.read() == b""
    return found


def made(entries: list[dict[str, Any]], layout: int = tarfile.PAX_FORMAT) -> bytes:
    """An archive by the standard library."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=layout) as archive:
        for given_fields in entries:
            fields = dict(given_fields)
            info, data = tarfile.TarInfo(fields.pop("name")), fields.pop("data", b"")
            for name, value in fields.items():
                setattr(info, name, value)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def header(**fields: bytes) -> bytes:
    """One header with raw fields and a right checksum."""
    places = {
        "name": (0, 100),
        "mode": (100, 8),
        "uid": (108, 8),
        "gid": (116, 8),
        "size": (124, 12),
        "mtime": (136, 12),
        "kind": (156, 1),
        "link": (157, 100),
        "magic": (257, 8),
        "prefix": (345, 155),
        "sparse": (386, 110),
    }
    block = bytearray(512)
    block[257:265] = b"ustar\x0000"
    for name, value in {"name": b"file", "kind": b"0", **fields}.items():
        start, length = places[name]
        block[start : start + length] = value.ljust(length, b"\0")
    return checked(bytes(block))


def checked(block: bytes) -> bytes:
    total = sum(block[:148]) + 256 + sum(block[156:])
    return block[:148] + b"%06o\0 " % total + block[156:]


def pax(*records: tuple[bytes, bytes]) -> bytes:
    content = b""
    for key, value in records:
        length = len(key) + len(value) + 3
        length += len(str(length + len(str(length))))
        content += b"%d %s=%s\n" % (length, key, value)
    return raw_pax(content)


def raw_pax(content: bytes) -> bytes:
    return header(kind=b"x", size=b"%o" % len(content)) + padded(content)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


END = bytes(1024)


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("chunk", [1, 511, 512, 513, 1 << 16])
def test_reads_what_the_standard_library_writes(layout: int, chunk: int) -> None:
    long = "d" * 90 + "/" + "f" * 90 if layout == tarfile.USTAR_FORMAT else LONG
    entries: list[dict[str, Any]] = [
        {"name": "etc", "type": tarfile.DIRTYPE, "mode": 0o755},
        {"name": "etc/passwd", "data": b"root", "mode": 0o4755, "uid": 33, "gid": 44, "mtime": 99},
        {"name": "empty", "data": b""},
        {"name": "big", "data": bytes(range(256)) * 40},
        {"name": long, "data": b"long"},
        {"name": "link", "type": tarfile.SYMTYPE, "linkname": "etc/passwd"},
        {"name": "hard", "type": tarfile.LNKTYPE, "linkname": "etc/passwd"},
        {"name": "null", "type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3},
        {"name": "disk", "type": tarfile.BLKTYPE, "devmajor": 8, "devminor": 1},
        {"name": "pipe", "type": tarfile.FIFOTYPE},
    ]
    found = read(made(entries, layout), chunk)
    assert [entry.name.rstrip(b"/").decode() for entry, _ in found] == [e["name"] for e in entries]
    assert [entry.kind for entry, _ in found] == [
        *(tar.DIRECTORY, tar.REGULAR, tar.REGULAR, tar.REGULAR, tar.REGULAR, tar.SYMLINK, tar.LINK),
        *(tar.CHARACTER, tar.BLOCK_DEVICE, tar.FIFO),
    ]
    assert [data for _, data in found[:5]] == [e.get("data", b"") for e in entries[:5]]
    passwd = found[1][0]
    assert (passwd.mode, passwd.uid, passwd.gid, passwd.mtime_ns) == (
        0o4755,
        33,
        44,
        99_000_000_000,
    )
    assert found[5][0].link == found[6][0].link == b"etc/passwd"
    assert (found[7][0].major, found[7][0].minor) == (1, 3)


def test_pax_records_win_over_the_header() -> None:
    data = (
        pax(
            (b"path", "gr\u00fc\u00dfe".encode()),
            (b"uid", b"3000000"),
            (b"gid", b"4000000"),
            (b"size", b"3"),
            (b"mtime", b"1700000000.123456789999"),
            (b"SCHILY.xattr.user.a", b"\0\n= x"),
            (b"comment", b"ignored"),
        )
        + header(size=b"0")
        + padded(b"abc")
        + END
    )
    [(entry, content)] = read(data)
    assert entry.name == "gr\u00fc\u00dfe".encode()
    assert (entry.uid, entry.gid, content) == (3_000_000, 4_000_000, b"abc")
    assert entry.mtime_ns == 1_700_000_000_123_456_789
    assert entry.xattrs == {b"user.a": b"\0\n= x"}


def test_pax_records_belong_to_one_entry() -> None:
    first, second = read(pax((b"path", b"one")) + header() + header(name=b"two") + END)
    assert (first[0].name, second[0].name) == (b"one", b"two")


def test_global_pax_records_are_left_out() -> None:
    content = b"18 path=elsewhere\n"
    data = header(kind=b"g", size=b"%o" % len(content)) + padded(content) + header() + END
    assert [entry.name for entry, _ in read(data)] == [b"file"]


def test_times_before_1970_are_possible() -> None:
    [(by_record, _)] = read(pax((b"mtime", b"-1.5")) + header() + END)
    assert by_record.mtime_ns == -1_500_000_000
    [(by_number, _)] = read(header(mtime=b"\xff" * 12) + END)
    assert by_number.mtime_ns == -1_000_000_000


def test_prefix_is_a_part_of_the_name_in_ustar_only() -> None:
    [(ustar, _)] = read(header(prefix=b"usr/share") + END)
    assert ustar.name == b"usr/share/file"
    [(gnu, _)] = read(header(prefix=b"12345670123", magic=b"ustar  \0") + END)
    assert gnu.name == b"file"


def test_numbers_of_base_256() -> None:
    [(entry, _)] = read(header(uid=b"\x80" + (70_000_000).to_bytes(7, "big")) + END)
    assert entry.uid == 70_000_000


def test_old_headers_have_directories_by_their_slash() -> None:
    old = header(name=b"dir/", kind=b"\0", magic=b"")
    assert [entry.kind for entry, _ in read(old + END)] == [tar.DIRECTORY]


def test_links_have_no_data_whatever_their_size_says() -> None:
    link = header(name=b"link", kind=b"1", size=b"1000", link=b"file")
    assert [entry.name for entry, _ in read(link + header() + END)] == [b"link", b"file"]


def test_an_archive_may_lack_its_end() -> None:
    assert len(read(header())) == 1
    assert read(b"") == []


def test_what_follows_the_end_is_not_read_as_entries() -> None:
    assert len(read(header() + END + header(name=b"hidden") + b"garbage")) == 1


@pytest.mark.parametrize("layout", ["--format=gnu", "--format=pax"])
@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_sparse_files_of_gnu_tar(tmp_path: Any, layout: str, version: str) -> None:
    with open(tmp_path / "holes", "wb") as file:
        file.truncate(5_000_000)
        for offset in range(0, 3_000_000, 100_000):  # more pieces than one header holds
            file.seek(offset + 7)
            file.write(b"data at %d" % offset)
    command = ["tar", "-cS", layout, f"--sparse-version={version}", "-C", str(tmp_path), "holes"]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    [(entry, data)] = read(archive)
    assert (entry.name, entry.real_size) == (b"holes", 5_000_000)
    assert entry.sparse is not None
    content, taken = bytearray(5_000_000), 0
    for offset, length in entry.sparse:
        content[offset : offset + length] = data[taken : taken + length]
        taken += length
    assert bytes(content) == (tmp_path / "holes").read_bytes()
    assert len(archive) < 1_000_000


BAD: list[tuple[str, Callable[[], bytes]]] = [
    ("not an archive", lambda: b"#!/bin/sh\necho hello\n" * 100),
    ("wrong checksum", lambda: header()[:-1] + b"x" + END),
    ("checksum that is no number", lambda: header()[:148] + b"zzzzzzz\0" + header()[156:] + END),
    ("half a header", lambda: header()[:300]),
    ("data missing", lambda: header(size=b"1000") + b"short"),
    ("padding missing", lambda: header(size=b"3") + b"abc"),
    ("ten gigabytes announced", lambda: header(size=b"120000000000") + b"short"),
    ("negative size", lambda: header(size=b"-1") + END),
    ("negative size of base 256", lambda: header(size=b"\xff" * 12) + END),
    ("size beyond all files", lambda: header(size=b"\x80" + b"\xff" * 11) + END),
    ("size with an underscore", lambda: header(size=b"1_0") + END),
    ("size in hexadecimal", lambda: header(size=b"0x10") + END),
    ("size with a plus", lambda: header(size=b"+7") + END),
    ("size that is not octal", lambda: header(size=b"9") + END),
    ("unknown type", lambda: header(kind=b"Z") + END),
    ("negative pax size", lambda: pax((b"size", b"-5")) + header() + END),
    ("pax size of other digits", lambda: pax((b"size", "\u0663".encode())) + header() + END),
    ("huge pax size", lambda: pax((b"size", b"9" * 19)) + header() + END),
    ("endless pax number", lambda: pax((b"size", b"9" * 5000)) + header() + END),
    ("pax time that is none", lambda: pax((b"mtime", b"1.2.3")) + header() + END),
    ("zero byte in a pax path", lambda: pax((b"path", b"a\0b")) + header() + END),
    ("zero byte in a pax link", lambda: pax((b"linkpath", b"a\0b")) + header() + END),
    ("zero byte in a pax key", lambda: pax((b"a\0b", b"c")) + header() + END),
    ("pax record without length", lambda: raw_pax(b"path=a\n") + header() + END),
    ("pax record with a wrong length", lambda: raw_pax(b"99 path=a\n") + header() + END),
    ("pax record of length zero", lambda: raw_pax(b"0 path=a\n") + header() + END),
    ("pax record without key", lambda: raw_pax(b"5 =a\n") + header() + END),
    ("pax record without end", lambda: raw_pax(b"9 path=abc") + header() + END),
    ("huge pax header", lambda: header(kind=b"x", size=b"77777777777") + header() + END),
    ("pax header at the end", lambda: pax((b"path", b"a")) + END),
    ("long name at the end", lambda: header(kind=b"L", size=b"4") + padded(b"name") + END),
    ("huge long name", lambda: header(kind=b"L", size=b"77777777") + header() + END),
    ("overlapping sparse pieces", lambda: sparse(b"0,10,5,10", b"20", 20)),
    ("sparse pieces beyond the end", lambda: sparse(b"0,10,100,10", b"50", 20)),
    ("sparse map with a gap", lambda: sparse(b"0,10,100", b"500", 20)),
    ("sparse map without data", lambda: sparse(b"0,10,100,10", b"500", 0)),
    ("sparse map with letters", lambda: sparse(b"0,x", b"500", 20)),
    ("sparse map with a sign", lambda: sparse(b"-5,5", b"500", 5)),
    ("sparse map without a size", lambda: sparse(b"0,5", b"", 5)),
    ("unknown sparse format", lambda: pax((b"GNU.sparse.major", b"7")) + header() + END),
    ("sparse map that never ends", lambda: sparse_1_0(b"5\n" + b"1" * 5000)),
    ("sparse map of millions", lambda: sparse_1_0(b"99999999\n")),
    ("old sparse header without blocks", lambda: header(kind=b"S", sparse=b"0".ljust(96) + b"\1")),
]


def sparse(pieces: bytes, size: bytes, data: int) -> bytes:
    records = ((b"GNU.sparse.map", pieces), (b"GNU.sparse.size", size))
    return pax(*records) + header(size=b"%o" % data) + padded(bytes(data)) + END


def sparse_1_0(text: bytes) -> bytes:
    records = (
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.realsize", b"9"),
    )
    return pax(*records) + header(size=b"%o" % len(text)) + padded(text) + END


@pytest.mark.parametrize("data", [pytest.param(make, id=name) for name, make in BAD])
@pytest.mark.parametrize("chunk", [13, 1 << 16])
def test_bad_archives_are_refused(data: Callable[[], bytes], chunk: int) -> None:
    with pytest.raises(tar.InvalidArchive):
        read(data(), chunk)


VALID = made(
    [
        {"name": "etc", "type": tarfile.DIRTYPE},
        {
            "name": LONG,
            "data": b"x" * 700,
            "uid": 9_000_000,
            "pax_headers": {"SCHILY.xattr.user.a": "b"},
        },
        {"name": "link", "type": tarfile.SYMTYPE, "linkname": "l" * 150},
    ]
) + sparse(b"0,5,100,5", b"200", 10)


@given(st.binary(max_size=3000))
def test_random_bytes_never_crash_the_reader(data: bytes) -> None:
    try:
        read(data)
    except PodError:
        pass


@given(
    st.lists(
        st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=8
    ),
    st.integers(0, len(VALID)),
    st.booleans(),
)
def test_damaged_archives_never_crash_the_reader(
    changes: list[tuple[int, int]], cut: int, repaired: bool
) -> None:
    data = bytearray(VALID)
    for place, value in changes:
        data[place] = value
        if repaired:  # with a right checksum the damage gets further
            start = place - place % 512
            data[start : start + 512] = checked(bytes(data[start : start + 512]))
    try:
        for entry, content in read(bytes(data[:cut] if cut else data)):
            assert entry.size >= 0
            assert len(content) <= len(VALID)
    except PodError:
        pass
