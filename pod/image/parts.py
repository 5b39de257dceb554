"""Named ranges of bytes: the files of an archive or of a directory, without unpacking the archive.

Whatever is compressed as a whole, or comes through a pipe, is first written to a file without a name; from then on a
layer is a range of a file, which a child can read by itself.
"""

from __future__ import annotations

import errno
import os
import stat

from pod.base.errors import PodError
from pod.base.records import Record
from storage import compression, tar
from storage.directories import make_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_ENTRIES = 200_000
_MAX_HOPS = 10
_READ_BYTES = 1 << 20
_SMALL_BYTES = 4 << 20
"""The most that a document in an archive may have; manifests and configurations are smaller."""


class BadArchive(PodError):
    """A file or directory that should hold images and does not, or holds something broken."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"'{path}' cannot be read as an image: {why}",
            hint="make it again, as by: pod save --output FILE IMAGE",
        )


class NotInside(BadArchive):
    """It has images, and not the one that was asked for."""

    def __init__(self, path: str, wanted: str, offers: list[str]) -> None:
        shown = ", ".join(offers) or "images without a name"
        PodError.__init__(self, f"'{path}' has no image '{wanted}', but {shown}")


class Span(Record):
    """`size` bytes from `offset` on, of the open file `fd`, which belongs to the Parts that gave it."""

    fd: int
    offset: int
    size: int

    def read(self) -> bytes:
        """All of it, for documents. The caller has checked the size."""
        data = os.pread(self.fd, self.size, self.offset)
        while len(data) < self.size and (
            more := os.pread(self.fd, self.size - len(data), self.offset + len(data))
        ):
            data += more
        return data

    def start(self, count: int = compression.ENOUGH) -> bytes:
        return os.pread(self.fd, min(count, self.size), self.offset)


class Parts:
    """The files of an archive or directory by name. A context manager; spans are valid until its end.

    `path` is for errors. Names are relative, without "./".
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fds: list[int] = []

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    def has(self, name: str) -> bool:
        return self.find(name) is not None

    def find(self, name: str) -> Span | None:
        """The file `name`, through links; None when there is none."""
        raise NotImplementedError

    def span(self, name: str) -> Span:
        """As find. Raises BadArchive when it is missing."""
        found = self.find(name)
        if found is None:
            raise self.broken(f"'{name}' is missing")
        return found

    def read(self, name: str) -> bytes:
        """The content of a document. Raises BadArchive when it is missing or far too large."""
        span = self.span(name)
        if span.size > _SMALL_BYTES:
            raise self.broken(f"'{name}' has {span.size} bytes, which no such document has")
        data = span.read()
        if len(data) != span.size:
            raise self.broken(f"'{name}' is cut short")
        return data

    def broken(self, why: str) -> BadArchive:
        return BadArchive(self.path, why)


class DirectoryParts(Parts):
    """The files below a directory. Links are followed: it is the person's own directory."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._known: dict[str, Span | None] = {}

    def find(self, name: str) -> Span | None:
        if name not in self._known:
            self._known[name] = self._open(name)
        return self._known[name]

    def _open(self, name: str) -> Span | None:
        if _normal(name) != name:
            return None
        try:
            fd = os.open(f"{self.path}/{name}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise self.broken(f"'{name}': {error.strerror}") from error
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            return None
        self._fds.append(fd)
        return Span(fd, 0, status.st_size)


class TarParts(Parts):
    """The files of a plain tar archive, which is open at `fd`; the descriptor is closed at the end."""

    def __init__(self, path: str, fd: int) -> None:
        super().__init__(path)
        self._fds.append(fd)
        self._spans: dict[str, Span] = {}
        self._links: dict[str, str] = {}
        try:
            self._index(fd)
        except tar.InvalidArchive as error:
            raise self.broken(f"it is no archive of images: {error.why}") from error

    def find(self, name: str) -> Span | None:
        for _ in range(_MAX_HOPS):
            if name in self._spans:
                return self._spans[name]
            if name not in self._links:
                return None
            name = self._links[name]
        raise self.broken(f"'{name}' is a link that leads to itself")

    def _index(self, fd: int) -> None:
        end = os.fstat(fd).st_size
        position = 0

        def more() -> bytes:
            nonlocal position
            block = os.pread(fd, tar.BLOCK, position)
            position += len(block)
            return block

        entries = 0
        while True:
            # A reader for each entry: what it skips it would read, and layers are large.
            entry = tar.TarReader(more).next_entry()
            if entry is None:
                break
            entries += 1
            if entries > _MAX_ENTRIES:
                raise self.broken(f"it has more than {_MAX_ENTRIES} entries")
            start, position = position, position + entry.size + -entry.size % tar.BLOCK
            if start + entry.size > end:
                raise tar.TruncatedArchive
            self._add(entry, Span(fd, start, entry.size))
        if not entries:
            raise self.broken("it is empty")

    def _add(self, entry: tar.Entry, span: Span) -> None:
        name = _normal(os.fsdecode(entry.name))
        if not name:
            return  # "/", or a name that leaves the archive, which nothing can refer to
        self._spans.pop(name, None)
        self._links.pop(name, None)
        link = os.fsdecode(entry.link)
        if entry.kind == tar.REGULAR:
            if entry.sparse is not None:
                raise self.broken(f"'{name}' is stored as a sparse file")
            self._spans[name] = span
        elif entry.kind == tar.SYMLINK:
            base = "" if link.startswith("/") else name.rpartition("/")[0]
            self._links[name] = _normal(f"{base}/{link}".lstrip("/"))
        elif entry.kind == tar.LINK:
            self._links[name] = _normal(link)


def open_parts(source: str | int, scratch: str) -> Parts:
    """The parts of the directory or file at the path `source`, or of the open file or pipe with that number.

    A temporary file, when one is needed, is made in the directory `scratch`. Raises BadArchive.
    """
    if isinstance(source, int):
        return _open_file(os.dup(source), "standard input", scratch)
    if os.path.isdir(source):
        return DirectoryParts(source)
    try:
        fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BadArchive(source, error.strerror or "it cannot be opened") from error
    return _open_file(fd, source, scratch)


def _open_file(fd: int, path: str, scratch: str) -> Parts:
    try:
        seekable = stat.S_ISREG(os.fstat(fd).st_mode)
        start = os.pread(fd, compression.ENOUGH, 0) if seekable else _first_bytes(fd)
        if not start:
            raise BadArchive(path, "it is empty")
        kind = compression.detect(start)
        if seekable and not kind:
            return TarParts(path, fd)
        if seekable:
            os.lseek(fd, 0, os.SEEK_SET)
            start = b""
        plain = _spool(_chunks(fd, start), kind, path, scratch)
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    try:
        return TarParts(path, plain)
    except BaseException:
        os.close(plain)
        raise


def _first_bytes(fd: int) -> bytes:
    """Enough of a pipe to know what it carries."""
    parts = b""
    while len(parts) < compression.ENOUGH and (
        part := os.read(fd, compression.ENOUGH - len(parts))
    ):
        parts += part
    return parts


def _chunks(fd: int, start: bytes) -> Callable[[], bytes]:
    waiting = [start] if start else []

    def read() -> bytes:
        return waiting.pop() if waiting else os.read(fd, _READ_BYTES)

    return read


def _spool(read: Callable[[], bytes], kind: str, path: str, scratch: str) -> int:
    """A file without a name that has the decompressed bytes; the caller closes it."""
    target = nameless_file(scratch)
    try:
        for chunk in compression.decompress(kind, read):
            view = memoryview(chunk)
            while view:
                view = view[os.write(target, view) :]
    except compression.InvalidStream as error:
        os.close(target)
        raise BadArchive(path, error.why) from error
    except OSError as error:
        os.close(target)
        raise BadArchive(path, f"it cannot be unpacked: {error.strerror}") from error
    except BaseException:
        os.close(target)
        raise
    return target


def nameless_file(directory: str) -> int:
    """A descriptor of a new file in `directory` that goes away with it; the directory is made when it is missing."""
    make_private(directory)
    try:
        return os.open(directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT):
            raise
    import tempfile  # file systems without O_TMPFILE, open(2)

    fd, name = tempfile.mkstemp(dir=directory)
    os.unlink(name)
    return fd


def _normal(name: str) -> str:
    """A name in its shortest form; empty when it is absolute or leaves the archive."""
    if name.startswith("/"):
        return ""
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
