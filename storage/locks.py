"""The locks of the store: those of `pod/base/locks.py`, whose directories are made when they are missing."""

from __future__ import annotations

import os

from pod.base import locks
from storage.directories import make_private


class FileLock(locks.FileLock):
    """An exclusive lock on a file, which may be the very file that is protected: `fd` is open for reading and writing.

    A forked child that inherits the descriptor holds the lock too; it is free when the last of them has closed it.
    """

    @property
    def fd(self) -> int:
        """The locked file; -1 while the lock is not held."""
        return self._fd

    def acquire(self, *, wait: bool = True) -> None:
        try:
            super().acquire(wait=wait)
        except FileNotFoundError:
            make_private(os.path.dirname(self.path))
            super().acquire(wait=wait)

    def try_acquire(self) -> bool:
        """Take the lock if it is free; whether it is ours now."""
        try:
            self.acquire(wait=False)
        except locks.Busy:
            return False
        return True
