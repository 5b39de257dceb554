"""Writing tar archives: POSIX headers, with pax records for what does not fit into them.

The same tree always gives the same bytes. Times are whole seconds, as in the layers that other engines write.
"""

from __future__ import annotations

import os
import stat

from pod.base import files
from storage import tar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BUFFERED = 256 << 10
_BLOCK = tar.BLOCK
_END = bytes(2 * _BLOCK)
_LARGEST_OCTAL_8 = 0o7777777
_LARGEST_OCTAL_12 = 0o77777777777


class TarWriter:
    """An archive that is written to the descriptor `fd`; call `close` at its end. The descriptor stays open.

    `time_of` says which time an entry with a certain one, in nanoseconds, gets.
    """

    def __init__(self, fd: int, time_of: Callable[[int], int] | None = None) -> None:
        self._fd = fd
        self._time_of = time_of
        self._buffer = bytearray()

    def add(
        self,
        name: bytes,
        status: os.stat_result,
        *,
        owner: tuple[int, int, int] | None = None,
        link: bytes | None = None,
        hard_link: bytes | None = None,
        xattrs: Mapping[str, bytes] | None = None,
        source_fd: int = -1,
    ) -> None:
        """One entry. `owner` overrides user, group and mode; `link` is the target of a symbolic link, `hard_link` the
        name of an earlier entry; `source_fd` is open at the beginning of a regular file's content."""
        uid, gid, mode = owner or (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
        kind, size, device = tar.REGULAR, 0, 0
        if hard_link is not None:
            kind, link, xattrs = tar.LINK, hard_link, None
        elif stat.S_ISDIR(status.st_mode):
            kind, name = tar.DIRECTORY, name + b"/"
        elif stat.S_ISLNK(status.st_mode):
            kind = tar.SYMLINK
        elif stat.S_ISFIFO(status.st_mode):
            kind = tar.FIFO
        elif stat.S_ISCHR(status.st_mode):
            kind, device = tar.CHARACTER, status.st_rdev
        elif stat.S_ISBLK(status.st_mode):
            kind, device = tar.BLOCK_DEVICE, status.st_rdev
        else:
            size = status.st_size
        self._header(
            kind,
            name,
            link or b"",
            (mode, uid, gid),
            size,
            status.st_mtime_ns if self._time_of is None else self._time_of(status.st_mtime_ns),
            device,
            xattrs or {},
        )
        if kind == tar.REGULAR and size:
            self._content(source_fd, size)

    def add_empty(self, name: bytes) -> None:
        """An empty file of root's, as marks are."""
        self._header(tar.REGULAR, name, b"", (0, 0, 0), 0, 0, 0, {})

    def close(self) -> None:
        """Write the end of the archive."""
        self._buffer += _END
        self._flush()

    def _header(
        self,
        kind: bytes,
        name: bytes,
        link: bytes,
        owner: tuple[int, int, int],
        size: int,
        mtime_ns: int,
        device: int,
        xattrs: Mapping[str, bytes],
    ) -> None:
        _, uid, gid = owner
        mtime = mtime_ns // 1_000_000_000
        records = {f"SCHILY.xattr.{key}".encode(): value for key, value in xattrs.items()}
        if len(name) > 100 or not name.isascii():
            records[b"path"] = name
        if len(link) > 100 or not link.isascii():
            records[b"linkpath"] = link
        for key, number, largest in (
            (b"uid", uid, _LARGEST_OCTAL_8),
            (b"gid", gid, _LARGEST_OCTAL_8),
            (b"size", size, _LARGEST_OCTAL_12),
        ):
            if number > largest:
                records[key] = b"%d" % number
        if not 0 <= mtime <= _LARGEST_OCTAL_12:
            records[b"mtime"] = b"%d" % mtime
            mtime = 0
        if records:
            content = b"".join(_record(key, records[key]) for key in sorted(records))
            self._append(_block(b"x", b"pax", b"", (0o644, 0, 0), len(content), 0, 0))
            self._append(content + bytes(-len(content) % _BLOCK))
        self._append(_block(kind, name, link, owner, size, mtime, device))

    def _content(self, source_fd: int, size: int) -> None:
        padding = bytes(-size % _BLOCK)
        if size <= _BUFFERED:
            data = os.read(source_fd, size)
            # Short: the file was cut while we looked at it. The header is out, so the rest is zeros.
            self._append(data.ljust(size, b"\0") + padding)
            return
        self._flush()
        left = size
        while left:
            sent = _send(self._fd, source_fd, left)
            if sent == 0:
                break
            left -= sent
        while left:
            left -= os.write(self._fd, bytes(min(left, 1 << 20)))
        self._append(padding)

    def _append(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= _BUFFERED:
            self._flush()

    def _flush(self) -> None:
        files.write_all(self._fd, bytes(self._buffer))
        self._buffer.clear()


def _send(target: int, source: int, count: int) -> int:
    """Move bytes inside the kernel where it can; 0 at the end of `source`."""
    try:
        return os.sendfile(target, source, None, min(count, 1 << 30))
    except OSError:
        data = os.read(source, min(count, 1 << 20))
        files.write_all(target, data)
        return len(data)


def _record(key: bytes, value: bytes) -> bytes:
    """A pax record, whose length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) > len(str(rest)):
        length += 1
    return b"%d %s=%s\n" % (length, key, value)


def _block(
    kind: bytes,
    name: bytes,
    link: bytes,
    owner: tuple[int, int, int],
    size: int,
    mtime: int,
    device: int,
) -> bytes:
    mode, uid, gid = owner
    block = b"".join(
        (
            _field(name, 100),
            b"%07o\0" % mode,
            b"%07o\0" % min(uid, _LARGEST_OCTAL_8),
            b"%07o\0" % min(gid, _LARGEST_OCTAL_8),
            b"%011o\0" % min(size, _LARGEST_OCTAL_12),
            b"%011o\0" % mtime,
            b" " * 8,
            kind,
            _field(link, 100),
            b"ustar\x0000",
            bytes(64),
            b"%07o\0" % min(os.major(device), _LARGEST_OCTAL_8),
            b"%07o\0" % min(os.minor(device), _LARGEST_OCTAL_8),
            bytes(155 + 12),
        )
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _field(text: bytes, length: int) -> bytes:
    return text[:length].ljust(length, b"\0")
