from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pod.base import files
from pod.linux import processes


def test_write_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    files.write_atomic(path, b"one")
    files.write_atomic(path, b"two", sync=False)
    assert files.read_bytes(path) == b"two"
    assert os.listdir(tmp_path) == ["file"]


def test_mode_is_that_of_the_caller_under_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_atomic(str(tmp_path / "file"), b"", mode=0o666)
        files.write_atomic(str(tmp_path / "private"), b"")
    finally:
        os.umask(before)
    assert os.stat(tmp_path / "file").st_mode & 0o777 == 0o640
    assert os.stat(tmp_path / "private").st_mode & 0o777 == 0o600


def test_a_reader_sees_the_old_bytes_or_the_new_ones(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    contents = [bytes([65 + number]) * 70_000 for number in range(4)]
    files.write_atomic(path, contents[0], sync=False)

    def write() -> None:
        for turn in range(300):
            files.write_atomic(path, contents[turn % 4], sync=False)

    writer = processes.fork(write, what="write")
    seen = set()
    while os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        seen.add(files.read_bytes(path))
    writer.result()
    assert seen <= set(contents)


def test_a_write_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "file")
    files.write_atomic(path, b"old")

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(path, b"new")
    monkeypatch.undo()
    assert files.read_bytes(path) == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_rename_that_fails_leaves_nothing(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "file")
    with pytest.raises(IsADirectoryError):
        files.write_atomic(str(tmp_path / "file"), b"new")
    assert os.listdir(tmp_path) == ["file"]


def test_several_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path = str(tmp_path / "file")

    def write(letter: bytes) -> None:
        for _ in range(50):
            files.write_atomic(path, letter * 10_000, sync=False)

    writers = [
        processes.fork(lambda letter=letter: write(letter), what="write")  # type: ignore[misc]
        for letter in (b"a", b"b", b"c")
    ]
    for writer in writers:
        writer.result()
    assert files.read_bytes(path) in {b"a" * 10_000, b"b" * 10_000, b"c" * 10_000}
    assert os.listdir(tmp_path) == ["file"]


def test_write_all_goes_on_after_a_short_write(monkeypatch: pytest.MonkeyPatch) -> None:
    real, sizes = os.write, []

    def short(fd: int, data: Any) -> int:
        sizes.append(len(data))
        return real(fd, data[:3])

    read_fd, write_fd = os.pipe()
    monkeypatch.setattr(os, "write", short)
    files.write_all(write_fd, b"12345678")
    monkeypatch.undo()
    assert (os.read(read_fd, 100), sizes) == (b"12345678", [8, 5, 2])
    os.close(read_fd)
    os.close(write_fd)


@pytest.mark.parametrize(
    "value", [{}, [], {"a": [1, None, True, "ü\n", {"b": -5}]}, "text", 2**62, None]
)
def test_json_comes_back(tmp_path: Path, value: Any) -> None:
    path = str(tmp_path / "file")
    files.write_json(path, value)
    assert files.read_json(path) == value
    with open(path, "rb") as file:
        assert json.loads(file.read()) == value


def test_names_that_are_not_utf_8_survive_json(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    name = os.fsdecode(b"\xff\xfe")
    files.write_json(path, [name])
    assert files.read_json(path) == [name]


@pytest.mark.parametrize("data", [b'{"a":', b"[" * 100_000, b"", b"\0"])
def test_damaged_json_is_named(tmp_path: Path, data: bytes) -> None:
    path = str(tmp_path / "file")
    files.write_atomic(path, data)
    with pytest.raises(files.DamagedFile) as caught:
        files.read_json(path)
    assert path in str(caught.value)


def test_text_that_is_not_utf_8_is_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    files.write_atomic(path, b"a\xffb")
    assert files.read_text(path).encode("utf-8", "surrogateescape") == b"a\xffb"
