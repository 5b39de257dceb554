from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from pod.base import locks
from pod.linux import processes


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


class Holder:
    """Another process that holds a lock until it is told to let go."""

    def __init__(self, path: str) -> None:
        self._told, tell = os.pipe()
        go, self._go = os.pipe()

        def hold() -> None:
            with locks.FileLock(path):
                os.write(tell, b"h")
                os.read(go, 1)

        self._child = processes.fork(hold, what="hold a lock", keep=(tell, go))
        os.close(tell)
        os.close(go)
        assert os.read(self._told, 1) == b"h"

    def let_go(self) -> None:
        os.close(self._go)
        os.close(self._told)
        self._child.result()

    def kill(self) -> None:
        self._child.kill()
        os.close(self._go)
        os.close(self._told)


@pytest.fixture
def holder(path: str) -> Generator[Holder]:
    one = Holder(path)
    yield one
    one.let_go()


def test_somebody_elses_lock_is_busy(path: str, holder: Holder) -> None:
    with pytest.raises(locks.Busy):
        locks.FileLock(path).acquire(wait=False)


def test_is_held_sees_another_holder(path: str, holder: Holder) -> None:
    assert locks.is_held(path)


def test_is_held_is_false_without_a_holder_or_a_file(path: str) -> None:
    assert not locks.is_held(path)
    with locks.FileLock(path):
        pass
    assert not locks.is_held(path)


def test_a_killed_holder_holds_nothing(path: str) -> None:
    holder = Holder(path)
    holder.kill()
    assert not locks.is_held(path)
    with locks.FileLock(path):
        pass


def test_one_at_a_time(path: str, tmp_path: Path) -> None:
    """A counter in a file that each reads, and writes one higher, under the lock."""
    counter = str(tmp_path / "counter")
    Path(counter).write_text("0")

    def count() -> None:
        for _ in range(100):
            with locks.FileLock(path):
                value = int(Path(counter).read_text())
                Path(counter).write_text(str(value + 1))

    children = [processes.fork(count, what="count") for _ in range(4)]
    for child in children:
        child.result()
    assert Path(counter).read_text() == "400"


def test_a_lock_that_is_removed_while_others_wait_serves_them_one_at_a_time(
    path: str, tmp_path: Path
) -> None:
    """A waiter may get the lock of a file that is gone; it must then take the one that is there."""
    inside = str(tmp_path / "inside")

    def remove_again_and_again() -> int:
        collisions = 0
        for _ in range(100):
            lock = locks.FileLock(path)
            lock.acquire()
            try:
                os.mkdir(inside)
            except FileExistsError:
                collisions += 1
            else:
                os.rmdir(inside)
            lock.remove()
        return collisions

    children = [processes.fork(remove_again_and_again, what="lock and remove") for _ in range(4)]
    assert [child.result() for child in children] == [0, 0, 0, 0]
    assert not os.path.exists(path)


def test_release_and_remove_twice_do_no_harm(path: str) -> None:
    lock = locks.FileLock(path)
    lock.acquire()
    lock.remove()
    lock.remove()
    lock.release()
    assert not os.path.exists(path)


def test_a_look_never_makes_a_free_lock_busy(path: str) -> None:
    """`pod ps` looks at the locks of monitors; that must not keep a monitor from taking its own."""
    with locks.FileLock(path):
        pass
    stop_fd, write_fd = os.pipe()
    os.set_blocking(stop_fd, False)

    def look() -> None:
        while True:
            for _ in range(100):
                locks.is_held(path)
            try:
                if not os.read(stop_fd, 1):
                    return
            except BlockingIOError:
                pass

    lookers = [processes.fork(look, what="look", keep=(stop_fd,)) for _ in range(3)]
    busy = 0
    for _ in range(3000):
        lock = locks.FileLock(path)
        try:
            lock.acquire(wait=False)
        except locks.Busy:
            busy += 1
        lock.release()
    os.close(write_fd)
    for looker in lookers:
        looker.result()
    os.close(stop_fd)
    assert busy == 0
