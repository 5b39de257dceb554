"""Archives that we write: read back by the standard library and by ourselves, and always the same bytes."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from typing import Any

import pytest

from storage.tar import TarReader
from storage.tarwrite import TarWriter


def archive(tmp_path: Any, *entries: dict[str, Any]) -> bytes:
    """Write entries with these `name`, `data`, status fields, and arguments of `add`."""
    out = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    writer = TarWriter(out)
    for given in entries:
        fields = dict(given)
        name, data = fields.pop("name"), fields.pop("data", b"")
        status = fields.pop("status")
        source = os.open(tmp_path / "source", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.write(source, data)
        os.lseek(source, 0, os.SEEK_SET)
        writer.add(name, status, source_fd=source, **fields)
        os.close(source)
    writer.close()
    os.close(out)
    return (tmp_path / "out").read_bytes()


def status(
    kind: int = stat.S_IFREG,
    mode: int = 0o644,
    size: int = 0,
    uid: int = 0,
    gid: int = 0,
    mtime: float = 0,
) -> os.stat_result:
    ns = int(mtime * 1_000_000_000)
    return os.stat_result(
        (
            kind | mode,
            1,
            2,
            1,
            uid,
            gid,
            size,
            0,
            int(mtime),
            0,
            None,
            None,
            None,
            0,
            ns,
            0,
            4096,
            0,
            0,
        )
    )


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 300_000, 3_000_000])
def test_content_of_any_size_comes_back(tmp_path: Any, size: int) -> None:
    data = os.urandom(size)
    written = archive(
        tmp_path,
        {"name": b"a", "data": data, "status": status(size=size)},
        {"name": b"b", "data": b"end", "status": status(size=3)},
    )
    with tarfile.open(fileobj=io.BytesIO(written)) as found:
        first, second = (found.extractfile(name) for name in "ab")
        assert first is not None
        assert second is not None
        assert first.read() == data
        assert second.read() == b"end"
    assert len(written) % 512 == 0


@pytest.mark.parametrize(
    "name",
    [
        b"short",
        b"x" * 100,
        b"x" * 101,
        b"d/" * 2000 + b"f",
        "gr\u00fcn".encode(),
        b"\xff\xfe",
        b"a b\n",
    ],
)
def test_any_name_comes_back(tmp_path: Any, name: bytes) -> None:
    written = archive(tmp_path, {"name": name, "data": b"x", "status": status(size=1)})
    entry = TarReader(io.BytesIO(written).read).next_entry()
    assert entry is not None
    assert entry.name == name
    with tarfile.open(fileobj=io.BytesIO(written)) as found:
        assert os.fsencode(found.getnames()[0]) == name


def test_everything_about_a_file_comes_back(tmp_path: Any) -> None:
    written = archive(
        tmp_path,
        {
            "name": b"file",
            "data": b"abc",
            "status": status(mode=0o4711, size=3, uid=3_000_000, gid=5, mtime=1_700_000_000.75),
            "xattrs": {"user.b": b"\0=\n", "security.capability": b"\1" * 20},
        },
        {"name": b"old", "status": status(mtime=-100)},
        {"name": b"dir", "status": status(stat.S_IFDIR, 0o1777)},
        {"name": b"link", "status": status(stat.S_IFLNK, 0o777), "link": b"t" * 200},
        {
            "name": b"hard",
            "status": status(size=3),
            "hard_link": b"file",
            "xattrs": {"user.b": b"x"},
        },
        {"name": b"pipe", "status": status(stat.S_IFIFO)},
        {"name": b"true", "status": status(mode=0o755), "owner": (33, 44, 0o4755)},
    )
    found = []
    reader = TarReader(io.BytesIO(written).read)
    while (entry := reader.next_entry()) is not None:
        found.append(entry)
    file, old, directory, link, hard, pipe, true = found
    assert (file.mode, file.uid, file.gid) == (0o4711, 3_000_000, 5)
    assert file.mtime_ns == 1_700_000_000 * 1_000_000_000
    assert file.xattrs == {b"user.b": b"\0=\n", b"security.capability": b"\1" * 20}
    assert old.mtime_ns == -100 * 1_000_000_000
    assert (directory.name, directory.mode) == (b"dir/", 0o1777)
    assert link.link == b"t" * 200
    assert (hard.kind, hard.link, hard.size, hard.xattrs) == (b"1", b"file", 0, None)
    assert pipe.kind == b"6"
    assert (true.uid, true.gid, true.mode) == (33, 44, 0o4755)


def test_a_pax_record_counts_its_own_length_at_every_border(tmp_path: Any) -> None:
    for length in [*range(101, 130), *range(980, 1010), *range(9985, 10_005)]:
        written = archive(tmp_path, {"name": b"n" * length, "status": status()})
        entry = TarReader(io.BytesIO(written).read).next_entry()
        assert entry is not None
        assert len(entry.name) == length


def test_a_file_that_became_shorter_is_filled_up(tmp_path: Any) -> None:
    for size in (1000, 1_000_000):
        written = archive(
            tmp_path,
            {"name": b"a", "data": b"abc", "status": status(size=size)},
            {"name": b"b", "data": b"x", "status": status(size=1)},
        )
        with tarfile.open(fileobj=io.BytesIO(written)) as found:
            content = found.extractfile("a")
            assert content is not None
            assert content.read() == b"abc" + bytes(size - 3)
            assert found.getnames() == ["a", "b"]
