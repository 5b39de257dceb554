"""The two ends of `pod cp` that are archives: a file or tree of a live container into one, and one into a container.

As in transfer.py, nothing on the container's side is followed: whoever unpacks has made the container's root its own
root directory before, since what is in the archive and what is in the container may have been made by strangers.
"""

from __future__ import annotations

import os
import stat

from pod.base.errors import PodError
from storage import tar, tree
from storage.tarwrite import TarWriter
from storage.transfer import DIRECTORY, READ, CannotCopy, copy_content, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.linux.idmap import IdMap

    Owner = Callable[[int, int], tuple[int, int]]


class BadArchive(PodError):
    """What came in is no archive, or has an entry that cannot be unpacked."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the archive cannot be unpacked: {why}")


def write_archive(
    source_fd: int, name: str, out_fd: int, ids: tuple[IdMap, IdMap] | None, shown: str
) -> list[str]:
    """Write an open file or directory as `name`, "" for the content of a directory; warnings.

    `ids` is the container's id map in intermediate ids, None when it is the usual one.
    """
    writer = _Writer(out_fd, ids)
    status = os.fstat(source_fd)
    if stat.S_ISDIR(status.st_mode):
        writer.add_directory(source_fd, name, shown)
    elif stat.S_ISREG(status.st_mode):
        writer.add_open(source_fd, status, os.fsencode(name))
    else:
        raise CannotCopy(shown, "it became something else meanwhile")
    writer.close()
    return writer.warnings


class _Writer:
    def __init__(self, out_fd: int, ids: tuple[IdMap, IdMap] | None) -> None:
        self.warnings: list[str] = []
        self._tar = TarWriter(out_fd)
        self._ids = ids
        self._links: dict[tuple[int, int], bytes] = {}
        self.close = self._tar.close

    def add(self, source_fd: int, name: str, path: str, shown: str) -> None:
        try:
            status = os.lstat(name, dir_fd=source_fd)
        except FileNotFoundError:
            return  # it was removed meanwhile
        at = os.fsencode(path) or b"."
        try:
            if stat.S_ISDIR(status.st_mode):
                self._enter(source_fd, name, path, shown)
            elif status.st_nlink > 1 and (status.st_dev, status.st_ino) in self._links:
                first = self._links[status.st_dev, status.st_ino]
                self._tar.add(at, status, owner=self._owner(status), hard_link=first)
            elif stat.S_ISREG(status.st_mode):
                self._add_file(source_fd, name, at, shown)
            elif stat.S_ISLNK(status.st_mode):
                link = os.fsencode(os.readlink(name, dir_fd=source_fd))
                self._tar.add(at, status, owner=self._owner(status), link=link)
            elif stat.S_ISSOCK(status.st_mode):
                self.warnings.append(f"'{shown}' is {kind_of(status.st_mode)} and was left out")
            else:
                self._tar.add(at, status, owner=self._owner(status))
        except FileNotFoundError:
            return

    def _enter(self, source_fd: int, name: str, path: str, shown: str) -> None:
        fd = os.open(name, DIRECTORY, dir_fd=source_fd)
        try:
            self.add_directory(fd, path, shown)
        finally:
            os.close(fd)

    def add_directory(self, fd: int, path: str, shown: str) -> None:
        status = os.fstat(fd)
        at = os.fsencode(path) or b"."
        self._tar.add(at, status, owner=self._owner(status), xattrs=tree.portable_xattrs(fd))
        prefix, base = f"{path}/" if path else "", shown.rstrip("/")
        for inner in sorted(os.listdir(fd)):
            self.add(fd, inner, f"{prefix}{inner}", f"{base}/{inner}")

    def _add_file(self, source_fd: int, name: str, at: bytes, shown: str) -> None:
        fd = os.open(name, READ, dir_fd=source_fd)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise CannotCopy(shown, "it became something else meanwhile")
            self.add_open(fd, status, at)
        finally:
            os.close(fd)

    def add_open(self, fd: int, status: os.stat_result, at: bytes) -> None:
        if status.st_nlink > 1:
            self._links[status.st_dev, status.st_ino] = at
        owner, xattrs = self._owner(status), tree.portable_xattrs(fd)
        if status.st_size:
            self._tar.add(at, status, owner=owner, xattrs=xattrs, source_fd=fd)
            return
        # A file of /proc says that it is empty: how long it is shows when it has been read.
        held = os.memfd_create("file", os.MFD_CLOEXEC)
        try:
            copy_content(fd, held, status)
            os.lseek(held, 0, os.SEEK_SET)
            os.utime(held, ns=(status.st_mtime_ns, status.st_mtime_ns))
            self._tar.add(at, os.fstat(held), owner=owner, xattrs=xattrs, source_fd=held)
        finally:
            os.close(held)

    def _owner(self, status: os.stat_result) -> tuple[int, int, int]:
        mode = stat.S_IMODE(status.st_mode)
        if self._ids is None:
            return status.st_uid, status.st_gid, mode
        uid = tree.inside(self._ids[0], status.st_uid)
        return uid, tree.inside(self._ids[1], status.st_gid), mode


def unpack_archive(source_fd: int, root_fd: int, owner: Owner, *, capability_root: int) -> None:
    """Unpack an archive, compressed or not, into a directory. Raises BadArchive, and OSError of full disks.

    `owner` says for the user and group of an entry to whom it shall belong, in the ids of this process. What is missing
    between the directory and an entry is made; directories that are there get the attributes of their entries.
    `capability_root` is the root for whom programs shall have their capabilities.
    """
    from storage import compression, stream
    from storage.unpack import BadEntry, Unpacker

    status = os.fstatvfs(root_fd)
    incoming = stream.LayerStream(
        stream.read_from(source_fd),
        free_bytes=status.f_bavail * status.f_frsize,
        limits=stream.Limits(),
    )
    reader = _OwnedReader(stream.prefetched(incoming.chunks()), owner)
    unpacker = Unpacker(root_fd, None, capability_root=capability_root)
    try:
        unpacker.unpack(reader)
    except (BadEntry, tar.InvalidArchive, compression.InvalidStream, stream.TooLarge) as error:
        raise BadArchive(error.message) from error


class _OwnedReader(tar.TarReader):
    """An archive whose entries belong to somebody else."""

    def __init__(self, more: Callable[[], bytes], owner: Owner) -> None:
        super().__init__(more)
        self._of = owner

    def next_entry(self) -> tar.Entry | None:
        entry = super().next_entry()
        if entry is not None:
            entry.uid, entry.gid = self._of(entry.uid, entry.gid)
        return entry


def load_unpacker() -> None:
    """Load what unpack_archive needs, for a process that will not be able to."""
    for name in ("bz2", "hashlib", "lzma", "queue", "threading", "zlib", "zstandard"):
        __import__(name)
    for name in ("storage.compression", "storage.stream", "storage.unpack"):
        __import__(name)
