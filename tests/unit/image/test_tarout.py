"""The archives that `save` writes, read back by the standard library."""

from __future__ import annotations

import io
import os
import tarfile
import threading
from typing import Any

import pytest

from pod.image.tarout import ArchiveWriter, WrongLength

NAMES = ["short", "d/" * 60 + "long", "ü" * 40, "x" * 100, "x" * 101]


def test_members_come_back(tmp_path: Any) -> None:
    (tmp_path / "blob").write_bytes(b"b" * 100_000)
    with open(tmp_path / "out.tar", "wb") as out, open(tmp_path / "blob", "rb") as blob:
        archive = ArchiveWriter(out.fileno())
        archive.add_directory("top")
        for name in NAMES:
            archive.add(name, name.encode())
        archive.add_stream("stream", 5, [b"ab", b"", b"cde"])
        archive.add_file("file", blob.fileno())
        archive.close()
        assert archive.has("file")
        assert not archive.has("other")
    with tarfile.open(tmp_path / "out.tar") as archive_in:
        members = archive_in.getmembers()
        assert [member.name for member in members] == ["top", *NAMES, "stream", "file"]
        assert members[0].isdir()
        contents = [archive_in.extractfile(member) for member in members[1:]]
        assert [file.read() for file in contents if file] == [
            *(name.encode() for name in NAMES),
            b"abcde",
            b"b" * 100_000,
        ]


def test_pipe_is_as_good_as_a_file(tmp_path: Any) -> None:
    """One that is full, too: it holds a single page when the user's share of them is used up (pipe(7))."""
    (tmp_path / "blob").write_bytes(b"b" * 100_000)
    read_fd, write_fd = os.pipe()

    def write() -> None:
        with open(tmp_path / "blob", "rb") as blob:
            archive = ArchiveWriter(write_fd)
            archive.add_file("file", blob.fileno())
            archive.close()
        os.close(write_fd)

    writer = threading.Thread(target=write)
    writer.start()
    with open(read_fd, "rb") as file, tarfile.open(fileobj=io.BytesIO(file.read())) as archive_in:
        assert archive_in.getmember("file").size == 100_000
    writer.join()


@pytest.mark.parametrize("chunks", [[b"1234"], [b"12345", b"6"], []])
def test_wrong_length_is_noticed(tmp_path: Any, chunks: list[bytes]) -> None:
    with open(tmp_path / "out.tar", "wb") as out, pytest.raises(WrongLength):
        ArchiveWriter(out.fileno()).add_stream("x", 5, chunks)


def test_sizes_beyond_the_header(tmp_path: Any) -> None:
    size = (8 << 30) + 1
    with open(tmp_path / "out.tar", "w+b") as out:
        archive = ArchiveWriter(out.fileno())
        archive._header("big", size, b"0", 0o644)
        out.truncate(out.tell() + size + 1024)  # a hole
        out.seek(0)
        with tarfile.open(fileobj=out) as archive_in:
            assert archive_in.getmember("big").size == size
