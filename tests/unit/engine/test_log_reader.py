"""Reading and following log files while another process writes and rotates them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pod.engine.logs import Reader, Selection
from pod.linux import processes, sockets
from pod.monitor.logs import CriFile, RotatedFile
from pod.spec import monitor
from tests.support.connections import own_descriptors


def write(path: str, text: bytes, *, max_size: int = 0, max_files: int = 1) -> None:
    driver = CriFile(RotatedFile(path, max_size, max_files))
    for line in text.splitlines(keepends=True):
        driver.write("stdout", line)
    driver.close()


def read(path: str, selection: Selection) -> bytes:
    found: list[bytes] = []
    reader = Reader(path, "k8s-file", selection, lambda stream, at, text: found.append(text))
    reader.read_all()
    reader.close()
    return b"".join(found)


def numbered(*numbers: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in numbers)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (-1, range(9)),
        (0, ()),
        (1, (8,)),
        (2, (7, 8)),
        (3, (6, 7, 8)),
        (8, range(1, 9)),
        (99, range(9)),
    ],
)
def test_the_tail_may_lie_in_several_files(tmp_path: Path, tail: int, expected: range) -> None:
    path = str(tmp_path / "ctr.log")
    write(path, numbered(*range(9)), max_size=110, max_files=10)  # two lines a file
    assert len(os.listdir(tmp_path)) == 5
    assert read(path, Selection(tail=tail)) == numbered(*expected)


def test_a_log_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert read(str(tmp_path / "ctr.log"), Selection()) == b""
    assert read(str(tmp_path / "ctr.log"), Selection(tail=3)) == b""


def test_lines_are_chosen_by_time(tmp_path: Path) -> None:
    path = tmp_path / "ctr.log"
    path.write_bytes(
        b"".join(b"2026-01-01T00:00:0%d.000000000+00:00 stdout F %d\n" % (n, n) for n in range(6))
    )
    second = 1767225600 * 1_000_000_000
    chosen = Selection(since_ns=second + 2_000_000_000, until_ns=second + 4_000_000_000)
    assert read(str(path), chosen) == b"2\n3\n4\n"


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    path = str(tmp_path / "ctr.log")
    write(path, numbered(*range(9)), max_size=110, max_files=10)
    before = own_descriptors()
    for tail in (-1, 0, 1, 4, 99):
        read(path, Selection(tail=tail))
    assert own_descriptors() == before


class Followed:
    """A writer in another process and what following its log gave."""

    def __init__(self, path: str, writer: Callable[[Callable[[], None]], None]) -> None:
        """`writer` gets a function that waits until everything up to now has been read."""
        self.text = b""
        ours, theirs = sockets.pair()
        seen_read, seen_write = os.pipe()

        def run() -> None:
            writer(lambda: os.read(seen_read, 1 << 16) and None)
            theirs.send(monitor.EXITED, 0, False, 0)

        child = processes.fork(run, what="write", keep=(theirs.fileno(), seen_read))
        os.close(seen_read)

        def take(stream: bytes, at: bytes, text: bytes) -> None:
            self.text += text
            if text.endswith(b"!\n"):
                os.write(seen_write, b"x")

        reader = Reader(path, "k8s-file", Selection(follow=True), take)
        reader.read_all()
        reader.follow(ours)
        reader.close()
        child.result()
        for one in (ours, theirs):
            one.close()
        os.close(seen_write)


def test_following_gives_what_is_written_until_the_end(tmp_path: Path) -> None:
    path = str(tmp_path / "ctr.log")
    write(path, b"before\n")

    def writer(wait: Callable[[], None]) -> None:
        for number in range(20):
            write(path, b"%d!\n" % number)
            wait()
        write(path, b"last\n")

    expected = b"before\n" + b"".join(b"%d!\n" % number for number in range(20)) + b"last\n"
    assert Followed(path, writer).text == expected


def test_a_log_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "ctr.log")

    def writer(wait: Callable[[], None]) -> None:
        write(path, b"first!\n")
        wait()

    assert Followed(path, writer).text == b"first!\n"


def test_nothing_is_lost_or_told_twice_over_rotations(tmp_path: Path) -> None:
    """Three rotations between two looks of the reader, which five files can hold."""
    path = str(tmp_path / "ctr.log")

    def writer(wait: Callable[[], None]) -> None:
        for number in range(40):
            text = b"%d a\n%d b\n%d c!\n" % (number, number, number)
            write(path, text, max_size=50, max_files=5)
            wait()

    expected = b"".join(b"%d a\n%d b\n%d c!\n" % (n, n, n) for n in range(40))
    assert Followed(path, writer).text == expected


def test_following_goes_on_where_no_old_file_is_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "ctr.log")

    def writer(wait: Callable[[], None]) -> None:
        for number in range(40):
            write(path, b"%d!\n" % number, max_size=50, max_files=1)
            wait()

    assert Followed(path, writer).text == b"".join(b"%d!\n" % n for n in range(40))


def test_a_reader_that_is_left_behind_catches_up(tmp_path: Path) -> None:
    """What was dropped before it was read is gone; what is there is told in order and once."""
    path = str(tmp_path / "ctr.log")

    def writer(wait: Callable[[], None]) -> None:
        write(path, numbered(*range(3000)), max_size=200, max_files=2)
        write(path, b"last\n")

    lines = Followed(path, writer).text.splitlines()
    assert lines[-1] == b"last"
    numbers = [int(line.split()[1]) for line in lines[:-1]]
    assert numbers == sorted(set(numbers))


def test_a_container_that_is_removed_ends_the_following(tmp_path: Path) -> None:
    path = str(tmp_path / "ctr.log")

    def writer(wait: Callable[[], None]) -> None:
        write(path, b"one!\n")
        wait()
        os.unlink(path)

    assert Followed(path, writer).text == b"one!\n"
