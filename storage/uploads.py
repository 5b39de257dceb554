"""Uploads that were begun: where a registry expects the rest, so that a killed push is continued by the next one.

A small file for each, below the images, locked by the command that uploads. It can be thrown away.
"""

from __future__ import annotations

import os

from pod.base import files
from storage.blobs import digest_of
from storage.directories import names
from storage.locks import FileLock

_NAME_LENGTH = 32
_KEPT_SECONDS = 7 * 24 * 3600
"""After so long, registries have dropped an upload."""


class Uploads:
    """The notes in `directory`, which need not exist."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def note(self, what: str) -> UploadNote | None:
        """The note about the upload of `what`, a blob to a place; the caller closes it.

        None while another command uploads the same, or when nothing can be written here.
        """
        lock = FileLock(self._path(what))
        try:
            return UploadNote(lock) if lock.try_acquire() else None
        except OSError:
            return None

    def forget(self, what: str) -> None:
        """That there was such an upload, unless another command is at it."""
        if os.path.exists(self._path(what)) and (note := self.note(what)) is not None:
            note.write("")
            note.close()

    def sweep(self) -> None:
        """Remove what is too old."""
        import time

        for name in names(self._directory):
            lock = FileLock(f"{self._directory}/{name}")
            if lock.try_acquire():
                if time.time() - os.fstat(lock.fd).st_mtime > _KEPT_SECONDS:
                    lock.remove()
                lock.release()

    def _path(self, what: str) -> str:
        name = digest_of(what.encode()).partition(":")[2][:_NAME_LENGTH]
        return f"{self._directory}/{name}"


class UploadNote:
    """A note that is ours. An empty one leaves no file behind."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock
        self.location = os.pread(lock.fd, 1 << 14, 0).decode("ascii", "replace")
        """The URL to go on with; "" when there is none."""

    def write(self, location: str) -> None:
        """Remember where the registry expects more. A full disk is no reason to give up an upload."""
        self.location = location
        try:
            os.ftruncate(self._lock.fd, 0)
            os.lseek(self._lock.fd, 0, os.SEEK_SET)
            files.write_all(self._lock.fd, location.encode())
        except OSError:
            self.location = ""

    def close(self) -> None:
        """Let go of it, and forget it when it says nothing."""
        if self.location:
            self._lock.release()
        else:
            self._lock.remove()
