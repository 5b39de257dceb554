"""Contexts that come as tar archives, compressed or not: recognized, and unpacked without leaving their directory."""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError


class CannotReadContext(PodError):
    """The context, or the Dockerfile in it, is not there or cannot be read."""


START_BYTES = 1024


def looks_like_archive(start: bytes) -> bool:
    """Whether the first bytes are those of a tar archive, or of something compressed, which no Dockerfile is."""
    from storage import compression

    if start[257:262] == b"ustar" or compression.detect(start):
        return True
    return len(start) >= 512 and _has_tar_sum(start[:512])


def _has_tar_sum(header: bytes) -> bool:
    """Archives older than POSIX have no magic number, but a check sum."""
    field = header[148:156].strip(b"\0 ")
    if not field or any(byte not in b"01234567" for byte in field):
        return False
    return int(field, 8) == sum(header) - sum(header[148:156]) + 8 * 0x20


def unpack(fd: int, target: str, shown: str, *, start: bytes = b"") -> None:
    """Unpack an archive, compressed or not, into the directory `target`, as files of the caller.

    `start` is what was read of it already. Whatever names, links and sizes are in there, nothing outside is touched;
    device files are left out. Raises CannotReadContext.
    """
    from storage import compression, stream, tar
    from storage.unpack import BadEntry, Unpacker

    def read() -> bytes:
        nonlocal start
        if start:
            first, start = start, b""
            return first
        return os.read(fd, 256 << 10)

    root_fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    old_mask = os.umask(0)
    try:
        space = os.fstatvfs(root_fd)
        incoming = stream.LayerStream(
            read, free_bytes=space.f_bavail * space.f_frsize, limits=stream.Limits()
        )
        chunks = incoming.chunks()
        unpacker = Unpacker(root_fd, None)
        try:
            unpacker.unpack(_own_reader()(lambda: next(chunks, b"")))
        except stream.TooLarge as error:
            why = f"{error.why}, and that would fill the disk" if error.for_disk else error.why
            raise CannotReadContext(
                f"{quoted(shown)} is too large: {why}",
                hint="pod system df" if error.for_disk else None,
            ) from error
        except (BadEntry, tar.InvalidArchive, compression.InvalidStream) as error:
            raise CannotReadContext(
                f"{quoted(shown)} cannot be unpacked: {error.message}"
            ) from error
        if unpacker.skipped_devices:
            log.warning(f"{unpacker.skipped_devices} device files of {quoted(shown)} are left out")
    finally:
        os.umask(old_mask)
        os.close(root_fd)


def _own_reader() -> type:
    """A reader whose entries all belong to the caller, who can read and list them."""
    from storage import tar

    class Reader(tar.TarReader):
        def next_entry(self) -> tar.Entry | None:
            entry = super().next_entry()
            if entry is not None:
                entry.uid = entry.gid = 0  # which means: not changed
                entry.xattrs = None
                entry.mode |= 0o700 if entry.kind == tar.DIRECTORY else 0o400
            return entry

    return Reader


def quoted(shown: str) -> str:
    """How messages name where something came from."""
    return shown if " " in shown else f"'{shown}'"
