"""Frames of a zstd:chunked layer, made again from files of unpacked layers.

An image may be here in another compression, such as gzip. Whether compressing a file gives the bytes of its frame
depends on who made the layer: with pod and the same libzstd it does. The lengths tell soon, the digest of the blob in
the end.
"""

from __future__ import annotations

import os
import stat

from pod.base import files
from pod.linux import inroot
from pod.spec.digest import is_digest
from storage.blobs import digest_of
from storage.chunked_write import DEFAULT_LEVEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from storage.contents import Piece

_LEAST_BYTES, _MOST_BYTES = 64, 8 << 20  # of a piece; of short ones the length says nothing
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def make_frames(
    pieces: Iterable[Piece], trees: Iterable[str], sink_fd: int
) -> dict[bytes, tuple[int, int]]:
    """Append the frames that can be made to the file `sink_fd`; where each is, offset and size, by the piece's hash.

    Files are looked for where the table of contents has them, below `trees`, and must have their digest. What this
    process may not read, it does without. When one comes out with another length, somebody else has made the layer, and
    none is given: others would have the right length by chance.
    """
    import zstandard  # heavy

    compressor = zstandard.ZstdCompressor(level=DEFAULT_LEVEL)
    roots = _opened(trees)
    found: dict[bytes, tuple[int, int]] = {}
    at = 0
    try:
        for start, end, key, content in pieces:
            data = _content(roots, content) if content is not None and key not in found else None
            if data is None:
                continue
            frame = compressor.compress(data)
            if len(frame) != end - start:
                return {}
            files.write_all(sink_fd, frame)
            found[key] = (at, len(frame))
            at += len(frame)
    finally:
        for root_fd in roots:
            os.close(root_fd)
    return found


def _opened(trees: Iterable[str]) -> list[int]:
    roots = []
    for tree in trees:
        try:
            roots.append(os.open(tree, _DIRECTORY))
        except OSError:
            continue  # removed meanwhile
    return roots


def _content(roots: list[int], content: tuple[object, ...]) -> bytes | None:
    """The content of a piece, verified, from the first tree that has it; None when none has."""
    name, at, size, digest = content
    if not (isinstance(name, str) and isinstance(digest, str) and is_digest(digest)):
        return None
    if not (type(at) is int and type(size) is int and at >= 0):
        return None
    if not _LEAST_BYTES <= size <= _MOST_BYTES:
        return None
    for root_fd in roots:
        try:
            fd = inroot.open_at(root_fd, name.lstrip("/"), _READ)
        except (OSError, ValueError):
            continue
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size < at + size:
                continue
            data = os.pread(fd, size, at)
        except OSError:
            continue
        finally:
            os.close(fd)
        if len(data) == size and digest_of(data, digest.partition(":")[0]) == digest:
            return data
    return None
