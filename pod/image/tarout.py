"""Writing an archive whose members come as streams or as open files: what `save` produces.

Members are plain files of root's with the time 0, so that the same image always gives the same bytes. POSIX.1-2001.
"""

from __future__ import annotations

import os

from pod.base import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK = 512
_LARGEST_OCTAL = 0o77777777777
_COPY_BYTES = 64 << 20


class WrongLength(Exception):
    """A member's content is longer or shorter than its header says. The archive is spoilt."""


class ArchiveWriter:
    """An archive that is written to `fd`, which may be a pipe; `close` writes its end and leaves `fd` open."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._names: set[str] = set()

    def has(self, name: str) -> bool:
        return name in self._names

    def add_directory(self, name: str) -> None:
        self._header(f"{name}/", 0, b"5", 0o755)

    def add(self, name: str, data: bytes) -> None:
        self.add_stream(name, len(data), [data])

    def add_stream(self, name: str, size: int, chunks: Iterable[bytes]) -> None:
        """A file of `size` bytes. Raises WrongLength when `chunks` have another number of bytes."""
        self._header(name, size, b"0", 0o644)
        written = 0
        for chunk in chunks:
            written += len(chunk)
            if written > size:
                break
            files.write_all(self._fd, chunk)
        if written != size:
            raise WrongLength(f"{name}: {written} bytes instead of {size}")
        self._pad(size)

    def add_file(self, name: str, fd: int) -> None:
        """The whole of an open file, moved inside the kernel where it can."""
        size = os.fstat(fd).st_size
        self._header(name, size, b"0", 0o644)
        offset = 0
        while offset < size:
            moved = _move(fd, self._fd, offset, min(_COPY_BYTES, size - offset))
            if not moved:
                raise WrongLength(f"{name}: {offset} bytes instead of {size}")
            offset += moved
        self._pad(size)

    def close(self) -> None:
        files.write_all(self._fd, bytes(2 * _BLOCK))

    def _header(self, name: str, size: int, kind: bytes, mode: int) -> None:
        self._names.add(name)
        encoded = name.encode("utf-8", "surrogateescape")
        records = b""
        if len(encoded) > 100 or not encoded.isascii():
            records += _record(b"path", encoded)
        if size > _LARGEST_OCTAL:
            records += _record(b"size", b"%d" % size)
        if records:
            padded = records + bytes(-len(records) % _BLOCK)
            files.write_all(self._fd, _block(b"pax", len(records), b"x", 0o644) + padded)
        files.write_all(self._fd, _block(encoded, size, kind, mode))

    def _pad(self, size: int) -> None:
        if size % _BLOCK:
            files.write_all(self._fd, bytes(-size % _BLOCK))


def _move(source: int, target: int, offset: int, count: int) -> int:
    """Some bytes from `offset` of one file to the end of another; 0 at the end of the source."""
    try:
        return os.copy_file_range(source, target, count, offset)
    except OSError:
        pass  # a pipe, another file system, or one that cannot
    try:
        return os.sendfile(target, source, offset, count)
    except OSError:
        data = os.pread(source, min(count, 1 << 20), offset)
        files.write_all(target, data)
        return len(data)


def _record(key: bytes, value: bytes) -> bytes:
    """A pax record; its length counts its own digits."""
    length = len(key) + len(value) + 3
    while len(b"%d %s=%s\n" % (length, key, value)) != length:
        length += 1
    return b"%d %s=%s\n" % (length, key, value)


def _block(name: bytes, size: int, kind: bytes, mode: int) -> bytes:
    block = b"".join(
        (
            name[:100].ljust(100, b"\0"),
            b"%07o\0" % mode,
            b"0000000\x000000000\0",
            b"%011o\0" % min(size, _LARGEST_OCTAL),
            b"%011o\0" % 0,
            b" " * 8,
            kind,
            bytes(100),
            b"ustar\x0000",
            bytes(64),
            b"0000000\x000000000\0",
            bytes(155 + 12),
        )
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
