"""File locks. Order, when several are held: project, containers, volumes, image store, database.

A lock belongs to the open file, which a forked child shares: every long-lived child closes what it was not given.
See flock(2).
"""

from __future__ import annotations

import fcntl
import os

from pod.base.errors import PodError


class Busy(PodError):
    """Another process holds the lock."""


class FileLock:
    """An exclusive lock on a file, made when it is missing; held while the context lasts.

    The file is never removed while somebody may wait for it, except by `remove`, whose holder has made sure that its
    subject is gone: a waiter that then gets the lock of a removed file tries again with a new one.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self, *, wait: bool = True) -> None:
        """Take the lock. Without `wait`, raises Busy when another process has it."""
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if wait:
                    fcntl.flock(fd, fcntl.LOCK_EX)
                elif not try_exclusive(fd):
                    raise Busy(f"'{self.path}' is locked by another command")
            except BaseException:
                os.close(fd)
                raise
            if _is_file_at(fd, self.path):
                self._fd = fd
                return
            os.close(fd)

    @property
    def fd(self) -> int:
        """The descriptor of a held lock, for children that shall hold it, too."""
        return self._fd

    def release(self) -> None:
        """Let go; twice does no harm."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Remove the file of a held lock, together with what it protected, and let go."""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        self.release()


def try_exclusive(fd: int) -> bool:
    """Take the lock on an open file without waiting for another holder; whether that was possible.

    `is_held` takes a shared lock for a moment, which must not look like a holder.
    """
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            pass
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # A shared lock can be had beside the others, so they are all lookers.


def is_held(path: str) -> bool:
    """Whether another process holds the lock on `path` at this moment."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _is_file_at(fd: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    ours = os.fstat(fd)
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
