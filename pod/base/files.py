"""Files that survive a crash: write beside, sync, rename, sync the directory. And JSON in and out."""

from __future__ import annotations

import os

from pod.base import plainjson
from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_CHUNK = 1 << 16


class DamagedFile(PodError):
    """A file that pod wrote cannot be read back."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"'{path}' is damaged: {why}", hint="pod system check")


def write_atomic(path: str, data: bytes, *, mode: int = 0o600, sync: bool = True) -> None:
    """Replace `path` by `data`, so that a reader sees the old bytes or the new ones, also after a power cut.

    With `sync=False` the order still holds between processes, but not over a power cut: for files whose loss is
    harmless, such as everything in the run directory.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            write_all(fd, data)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:
        _remove_if_there(temporary)
        raise
    if sync:
        sync_directory(os.path.dirname(path) or ".")


def write_all(fd: int, data: bytes) -> None:
    """write(2) until everything is written; a full disk raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(path: str) -> None:
    """Make renames and removals in the directory `path` durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_files_in(path: str) -> None:
    """Make the files in the directory `path` durable, and their names; not what is in directories below it."""
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                fd = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)
    sync_directory(path)


def read_bytes(path: str) -> bytes:
    """The whole of a regular file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = part = os.read(fd, _CHUNK)
        while len(part) == _CHUNK:  # a regular file gives less at its end only
            part = os.read(fd, _CHUNK)
            data += part
        return data
    finally:
        os.close(fd)


def read_text(path: str) -> str:
    """The whole of a text file, as UTF-8; bytes that are not UTF-8 become surrogates."""
    return read_bytes(path).decode("utf-8", "surrogateescape")


def read_json(path: str) -> Any:
    """The value in the JSON file `path`, one that pod wrote. Raises DamagedFile when it is not JSON."""
    try:
        return plainjson.loads(read_bytes(path))
    except ValueError as error:
        raise DamagedFile(path, str(error)) from error
    except RecursionError as error:
        raise DamagedFile(path, "it is nested too deeply") from error


def write_json(path: str, value: Any, *, mode: int = 0o600, sync: bool = True) -> None:
    """Replace `path` by `value` as compact JSON; see write_atomic."""
    write_atomic(path, plainjson.dumps(value).encode() + b"\n", mode=mode, sync=sync)


def _remove_if_there(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
