"""What log drivers write, read back by `engine/logfile.py`, and what they do when they cannot write."""

from __future__ import annotations

import datetime
import errno
import json
import os
import socket
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.engine import logfile
from pod.monitor import logs
from pod.monitor.journal import Journal, NoJournal
from pod.monitor.jsonlog import JsonFile
from pod.monitor.logs import CriFile, RotatedFile

Pieces = list[tuple[str, bytes]]


def read_back(path: str, driver: str) -> list[tuple[bytes, bytes]]:
    """(stream, text) of everything in the log, neighbours of one stream joined."""
    found = []
    for fd in logfile.open_files(path):
        for chunk in logfile.read_chunks(fd):
            found += logfile.split_streams(chunk, driver)
        os.close(fd)
    return joined(found)


def joined(pieces: Any) -> list[tuple[bytes, bytes]]:
    whole: list[tuple[bytes, bytes]] = []
    for stream, text in pieces:
        if whole and whole[-1][0] == stream:
            whole[-1] = (stream, whole[-1][1] + text)
        elif text:
            whole.append((stream, text))
    return whole


def write(path: str, driver: str, pieces: Pieces, **settings: Any) -> None:
    opened = logs.open_driver({"driver": driver, "path": path, **settings})
    for stream, data in pieces:
        opened.write(stream, data)
    opened.close()


streams = st.sampled_from(["stdout", "stderr"])
lines = st.lists(
    st.sampled_from([b"\n", b"a", b" ", b"stderr F ", b"\r", b"\xff", b"\0", b"x" * 99])
)
pieces = st.lists(st.tuples(streams, lines.map(b"".join).filter(bool)), max_size=12)
sizes = st.sampled_from([0, 1, 60, 300])


@given(pieces, sizes)
def test_everything_in_a_k8s_file_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, given: Pieces, max_size: int
) -> None:
    path = str(tmp_path_factory.mktemp("log") / "ctr.log")
    write(path, "k8s-file", given, max_size=max_size, max_files=1000)
    assert read_back(path, "k8s-file") == joined((s.encode(), data) for s, data in given)


texts = st.text(alphabet='a\n\\"n\t ü€😀\u2028', min_size=1, max_size=30)


@given(st.lists(st.tuples(streams, texts), max_size=8), st.integers(1, 7), sizes)
def test_everything_in_a_json_file_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    given: list[tuple[str, str]],
    step: int,
    max_size: int,
) -> None:
    """Whatever the pieces are in which a text comes: characters of several bytes are cut anywhere."""
    path = str(tmp_path_factory.mktemp("log") / "ctr.log")
    cut = [
        (stream, text.encode()[start : start + step])
        for stream, text in given
        for start in range(0, len(text.encode()), step)
    ]
    write(path, "json-file", cut, max_size=max_size, max_files=1000)
    for stream in (b"stdout", b"stderr"):
        read = b"".join(text for one, text in read_back(path, "json-file") if one == stream)
        assert read == b"".join(text.encode() for one, text in given if one.encode() == stream)


@given(
    st.sampled_from(["k8s-file", "json-file"]),
    st.lists(st.tuples(streams, st.sampled_from([b"a", b"b\n", b"\n", b"\\n", b"c\\\n", b"n\nd"]))),
    st.integers(1, 6),
)
def test_the_tail_is_the_last_lines(
    tmp_path_factory: pytest.TempPathFactory, driver: str, given: Pieces, count: int
) -> None:
    path = str(tmp_path_factory.mktemp("log") / "ctr.log")
    write(path, driver, given)
    data = Path(path).read_bytes()
    whole: list[bytes] = []
    ended = True
    for line in logfile.parse(data, driver):
        if ended:
            whole.append(b"")
        whole[-1] += line.text
        ended = line.text.endswith(b"\n")

    fd = os.open(path, os.O_RDONLY)
    offset, found = logfile.offset_of_tail(fd, count, driver)
    os.close(fd)
    assert found == min(count, len(whole))
    read = b"".join(line.text for line in logfile.parse(data[offset:], driver))
    assert read == b"".join(whole[-count:])


@pytest.mark.parametrize("driver", ["k8s-file", "json-file"])
@pytest.mark.parametrize("count", [1, 999, 1000, 5000, 10_000])
def test_a_tail_may_begin_far_from_the_end(tmp_path: Path, driver: str, count: int) -> None:
    path = str(tmp_path / "ctr.log")
    text = b"".join(b"%d %s\n" % (number, b"x" * 60) for number in range(5000))
    write(path, driver, [("stdout", text)])
    fd = os.open(path, os.O_RDONLY)
    offset, found = logfile.offset_of_tail(fd, count, driver)
    os.close(fd)
    shown = Path(path).read_bytes()[offset:].count(b"\n")
    assert shown == found == min(count, 5000)


def test_a_line_that_is_still_being_written_is_no_line_yet(tmp_path: Path) -> None:
    path = str(tmp_path / "ctr.log")
    write(path, "k8s-file", [("stdout", b"one\ntwo\n")])
    with open(path, "ab") as file:
        file.write(b"2026-01-01T00:00:00.000000000+00:00 stdo")
    fd = os.open(path, os.O_RDONLY)
    offset, found = logfile.offset_of_tail(fd, 1, "k8s-file")
    assert found == 1
    os.lseek(fd, offset, os.SEEK_SET)
    (chunk,) = logfile.read_chunks(fd)
    assert chunk.endswith(b"two\n") and chunk.count(b"\n") == 1
    with open(path, "ab") as file:
        file.write(b"ut F three\n")
    (rest,) = logfile.read_chunks(fd)
    assert [line.text for line in logfile.parse(rest, "k8s-file")] == [b"three\n"]
    os.close(fd)


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b"x", b" ", b"F", b"stderr", b"stdout", b"\n"])).map(b"".join)
)
def test_damage_from_outside_is_passed_over(junk: bytes) -> None:
    good = b"2026-01-01T00:00:00.000000000+00:00 stdout F good\n"
    chunk = junk + b"\n" + good
    for driver in ("k8s-file", "json-file"):
        list(logfile.parse(chunk, driver))
        logfile.split_streams(chunk, driver)
    assert (b"stdout", b"good\n") in logfile.split_streams(b"\0\0 x\n" + good, "k8s-file")
    assert logfile.split_streams(b"{\n[]\n5\n" + b'{"log":1}\n', "json-file") == []


def test_cri_lines_have_time_stream_and_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        path = str(tmp_path / "ctr.log")
        before = time.time_ns()
        write(path, "k8s-file", [("stdout", b"one\ntw"), ("stderr", b"\n")])
        after = time.time_ns()
    finally:
        monkeypatch.undo()
        time.tzset()
    lines = Path(path).read_bytes().splitlines()
    assert [line.partition(b" ")[2] for line in lines] == [
        b"stdout F one",
        b"stdout P tw",
        b"stderr F ",
    ]
    stamp = lines[0].partition(b" ")[0].decode()
    assert stamp.endswith("+05:45")
    assert before <= logfile.parse_time(stamp) <= after
    assert len({len(line.partition(b" ")[0]) for line in lines}) == 1


@given(
    st.datetimes(datetime.datetime(1971, 1, 1), datetime.datetime(2100, 1, 1)),
    st.integers(-720, 840),
)
def test_times_are_read_with_any_offset(moment: datetime.datetime, minutes: int) -> None:
    zone = datetime.timezone(datetime.timedelta(minutes=minutes))
    at = moment.replace(tzinfo=zone)
    expected = int(at.timestamp()) if not at.microsecond else None
    parsed = logfile.parse_time(at.isoformat())
    assert parsed % 1_000_000_000 == at.microsecond * 1000
    if expected is not None:
        assert parsed == expected * 1_000_000_000


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01", "2026-13-01T00:00:00Z"])
def test_other_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        logfile.parse_time(text)


def test_json_lines_are_dockers(tmp_path: Path) -> None:
    path = str(tmp_path / "ctr.log")
    write(path, "json-file", [("stdout", b'one "\\\n\x1b\0'), ("stderr", b"\xff\n")])
    found = [json.loads(line) for line in Path(path).read_text().splitlines()]
    assert [(one["log"], one["stream"]) for one in found] == [
        ('one "\\\n', "stdout"),
        ("\x1b\0", "stdout"),
        ("\ufffd\n", "stderr"),
    ]
    assert found[0]["time"].endswith("Z")
    datetime.datetime.fromisoformat(found[0]["time"][:26])


def test_a_json_file_is_idle_between_characters(tmp_path: Path) -> None:
    driver = JsonFile(RotatedFile(str(tmp_path / "ctr.log"), 0, 1))
    driver.write("stdout", "ü".encode()[:1])
    assert not driver.is_idle()
    driver.write("stdout", "ü".encode()[1:])
    assert driver.is_idle()
    driver.close()


@pytest.mark.parametrize("max_files", [1, 2, 3])
def test_a_full_file_is_rotated_and_the_oldest_go(tmp_path: Path, max_files: int) -> None:
    path = str(tmp_path / "ctr.log")
    line = b"x" * 50 + b"\n"
    write(path, "k8s-file", [("stdout", line)] * 10, max_size=200, max_files=max_files)
    names = sorted(os.listdir(tmp_path))
    assert names == ["ctr.log", "ctr.log.1", "ctr.log.2"][:max_files]
    assert all(os.stat(tmp_path / name).st_size <= 200 for name in names)


def test_a_line_larger_than_the_limit_has_a_file_of_its_own(tmp_path: Path) -> None:
    path = str(tmp_path / "ctr.log")
    write(
        path,
        "k8s-file",
        [("stdout", b"a\n"), ("stdout", b"b" * 500 + b"\n")],
        max_size=100,
        max_files=5,
    )
    assert b"bbb" in Path(path).read_bytes()
    assert b" a\n" in Path(path + ".1").read_bytes()


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    path = str(tmp_path / "ctr.log")
    write(path, "k8s-file", [("stdout", b"one\n")])
    write(path, "k8s-file", [("stdout", b"two\n")])
    assert read_back(path, "k8s-file") == [(b"stdout", b"one\ntwo\n")]
    assert os.stat(path).st_mode & 0o777 == 0o600


class Disk:
    """Makes write(2) behave as on a disk with so many bytes left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        self.left = left
        self._real = os.write
        monkeypatch.setattr(os, "write", self._write)

    def _write(self, fd: int, data: Any) -> int:
        if fd == 2:
            return self._real(fd, data)
        if not self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._real(fd, data[: self.left])
        self.left -= written
        return written


@pytest.mark.parametrize("left", [0, 10, 60, 130])
def test_a_full_disk_loses_lines_and_cuts_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    path = str(tmp_path / "ctr.log")
    driver = CriFile(RotatedFile(path, 0, 1))
    driver.write("stdout", b"before\n")
    disk = Disk(monkeypatch, left)
    driver.write("stdout", b"one\ntwo\nthree\n" + b"x" * 70_000 + b"\n")
    driver.write("stdout", b"lost\n")
    disk.left = 1 << 20
    driver.write("stdout", b"after\n")
    driver.close()
    ((stream, text),) = read_back(path, "k8s-file")
    assert stream == b"stdout"
    lines = text.splitlines()
    assert lines[0] == b"before" and lines[-1] == b"after"
    assert set(lines) <= {b"before", b"one", b"two", b"three", b"lost", b"after"}


def test_a_line_longer_than_a_page_of_the_disk_is_taken_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "ctr.log")
    driver = JsonFile(RotatedFile(path, 0, 1))
    driver.write("stdout", b"before\n")
    disk = Disk(monkeypatch, 300_000)
    driver.write("stdout", b"\0" * 65_000 + b"\n")  # six bytes each in JSON
    disk.left = 1 << 20
    driver.write("stdout", b"after\n")
    driver.close()
    assert read_back(path, "json-file") == [(b"stdout", b"before\nafter\n")]


def test_a_piece_larger_than_a_file_fills_several(tmp_path: Path) -> None:
    path = tmp_path / "ctr.log"
    file = RotatedFile(str(path), 1000, 3)
    lines = [b"line %d\n" % number for number in range(600)] + [b"x" * 2000 + b"\n", b"end\n"]
    file.write(b"".join(lines))
    file.close()
    kept = [Path(f"{path}.2").read_bytes(), Path(f"{path}.1").read_bytes(), path.read_bytes()]
    assert kept[1:] == [lines[-2], lines[-1]]
    assert 0 < len(kept[0]) <= 1000
    assert b"".join(lines).endswith(b"".join(kept))


@pytest.mark.parametrize("max_files", [1, 2])
def test_a_log_that_cannot_be_rotated_does_not_stop_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_files: int
) -> None:
    """The new file cannot be made: as on a full disk, or when somebody has removed the directory."""
    directory = tmp_path / "gone"
    directory.mkdir()
    path = str(directory / "ctr.log")
    driver = CriFile(RotatedFile(path, 60, max_files))
    driver.write("stdout", b"x" * 60 + b"\n")
    for name in os.listdir(directory):
        os.unlink(directory / name)
    directory.rmdir()
    driver.write("stdout", b"lost\n")
    driver.write("stdout", b"lost\n")
    directory.mkdir()
    driver.write("stdout", b"kept\n")
    driver.close()
    assert read_back(path, "k8s-file") == [(b"stdout", b"kept\n")]


def test_a_file_that_cannot_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(PodError, match=r"ctr\.log"):
        logs.open_driver({"driver": "k8s-file", "path": str(tmp_path / "gone/ctr.log")})


def test_none_takes_everything_and_keeps_nothing(tmp_path: Path) -> None:
    driver = logs.open_driver({"driver": "none"})
    driver.write("stdout", b"x")
    assert driver.is_idle()
    driver.close()


SETTINGS = {"id": "a" * 64, "name": "web", "image": "busybox:latest"}


class Journald:
    """A socket that takes entries as systemd-journald does."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(10)

    def entry(self) -> dict[str, bytes]:
        data, found = self.socket.recv(1 << 20), {}
        while data:
            name, _, rest = data.partition(b"\n")
            length = int.from_bytes(rest[:8], "little")
            found[name.decode()] = rest[8 : 8 + length]
            assert rest[8 + length : 9 + length] == b"\n"
            data = rest[9 + length :]
        return found


@pytest.fixture
def journald(tmp_path: Path) -> Generator[Journald]:
    server = Journald(str(tmp_path / "socket"))
    yield server
    server.socket.close()


def test_each_line_is_an_entry_with_podmans_fields(journald: Journald) -> None:
    driver = Journal({**SETTINGS, "tag": "shop", "socket": journald.path})
    driver.write("stdout", b"one\ntw")
    driver.write("stderr", b"bad\xff=\n")
    driver.write("stdout", b"o\n\n")
    driver.close()
    entries = [journald.entry() for _ in range(4)]
    assert [one["MESSAGE"] for one in entries] == [b"one", b"bad\xff=", b"two", b""]
    assert [one["PRIORITY"] for one in entries] == [b"6", b"3", b"6", b"6"]
    first = entries[0]
    assert first["CONTAINER_ID"] == b"a" * 12
    assert first["CONTAINER_ID_FULL"] == b"a" * 64
    assert first["CONTAINER_NAME"] == b"web"
    assert first["CONTAINER_TAG"] == first["SYSLOG_IDENTIFIER"] == b"shop"
    assert first["IMAGE_NAME"] == b"busybox:latest"


def test_a_line_without_an_end_is_sent_at_the_end(journald: Journald) -> None:
    driver = Journal({**SETTINGS, "socket": journald.path})
    driver.write("stdout", b"prompt> ")
    assert not driver.is_idle()
    driver.close()
    assert journald.entry()["MESSAGE"] == b"prompt> "


def test_a_long_line_is_split(journald: Journald) -> None:
    driver = Journal({**SETTINGS, "socket": journald.path})
    driver.write("stdout", b"x" * 100_000 + b"\nend\n")
    found = b""
    while (entry := journald.entry())["MESSAGE"] != b"end":
        found += entry["MESSAGE"]
    assert found == b"x" * 100_000
    driver.close()


def test_a_journald_that_comes_back_is_found_again(journald: Journald) -> None:
    driver = Journal({**SETTINGS, "socket": journald.path})
    journald.socket.close()
    os.unlink(journald.path)
    driver.write("stdout", b"lost\n")
    again = Journald(journald.path)
    driver.write("stdout", b"found\n")
    assert again.entry()["MESSAGE"] == b"found"
    driver.close()
    again.socket.close()


def test_without_a_journald_the_start_fails_in_words(tmp_path: Path) -> None:
    with pytest.raises(NoJournal, match="cannot be reached") as caught:
        logs.open_driver({**SETTINGS, "driver": "journald", "socket": str(tmp_path / "none")})
    assert "k8s-file" in (caught.value.hint or "")
