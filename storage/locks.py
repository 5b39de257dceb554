"""File locks of the store.

A lock belongs to the open file, flock(2): a forked child that inherits the descriptor holds it too, and it is free when
the last of them has closed it, however they ended. Lock files that serve for ever are never removed.
"""

from __future__ import annotations

import fcntl
import os


class FileLock:
    """The lock on the file `path`, which is made, with its directory, when it is missing.

    As a context manager it waits for the lock. It may be taken again after it was released, not while it is held.
    """

    def __init__(self, path: str, *, shared: bool = False) -> None:
        self.path = path
        self.fd = -1
        self._operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Wait until the lock is ours."""
        self._open()
        try:
            fcntl.flock(self.fd, self._operation)
        except BaseException:
            self.release()
            raise

    def try_acquire(self) -> bool:
        """Take the lock if it is free; whether it is ours now."""
        self._open()
        try:
            fcntl.flock(self.fd, self._operation | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Close our descriptor; a child that inherited it goes on holding the lock."""
        os.close(self.fd)
        self.fd = -1

    def names_its_file(self) -> bool:
        """Whether the locked file still has its name: one that is removed under its lock locks nobody out any more."""
        ours = os.fstat(self.fd)
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return False
        return (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            self.fd = os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path), 0o700, exist_ok=True)
            self.fd = os.open(self.path, flags, 0o600)
