"""The bytes of a layer on their way in: decompressed, counted, hashed, and bounded."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.base.records import Record
from storage import compression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from storage.compression import Read

_RAW_BYTES = 256 << 10  # compressed bytes handed to a decompressor at a time
_QUEUED_CHUNKS = 8


class TooLarge(PodError):
    """The data grew beyond a limit; `for_disk`: beyond the one that the free space sets."""

    def __init__(self, why: str, *, for_disk: bool = False) -> None:
        super().__init__(f"the data is too large: {why}")
        self.why = why
        self.for_disk = for_disk


class Limits(Record):
    """How much a layer may unpack to. The defaults let every image of this world pass, and no bomb."""

    max_bytes: int = 0
    """Uncompressed; 0 stands for most of the free space of the disk."""
    max_ratio: int = 300
    """Uncompressed bytes per compressed byte, once `ratio_from` bytes have come; gzip cannot exceed 1032."""
    ratio_from: int = 4 << 30
    max_entries: int = 5_000_000


class LayerStream:
    """Decompressed chunks of what `read` gives; afterwards the digest and the sizes of the whole."""

    def __init__(
        self, read: Read, *, free_bytes: int, limits: Limits, algorithm: str = "sha256"
    ) -> None:
        import hashlib  # heavy

        self.compressed_bytes = 0
        self.bytes = 0
        self.compression = ""
        self._read = read
        self._max_bytes = limits.max_bytes or free_bytes * 19 // 20  # others need some, too
        self._limits = limits
        self._hash = hashlib.new(algorithm)

    @property
    def digest(self) -> str:
        """Of all uncompressed bytes so far."""
        return f"{self._hash.name}:{self._hash.hexdigest()}"

    def chunks(self) -> Iterator[bytes]:
        """All chunks, none of them empty. Raises InvalidStream, TooLarge, and what `read` raises."""
        for chunk in self._decompressed():
            self.bytes += len(chunk)
            if self.bytes > self._max_bytes:
                raise TooLarge(
                    f"it has more than {self._max_bytes} bytes when uncompressed",
                    for_disk=not self._limits.max_bytes,
                )
            if (
                self.bytes > self._limits.ratio_from
                and self.bytes > self._limits.max_ratio * self.compressed_bytes
            ):
                raise TooLarge(f"{self.bytes} bytes come out of {self.compressed_bytes}")
            self._hash.update(chunk)
            yield chunk

    def _decompressed(self) -> Iterator[bytes]:
        start = self._raw()
        while start and len(start) < compression.ENOUGH and (more := self._raw()):
            start += more
        self.compression = compression.detect(start)
        waiting = [start]
        return compression.decompress(
            self.compression, lambda: waiting.pop() if waiting else self._raw()
        )

    def _raw(self) -> bytes:
        chunk = self._read()
        self.compressed_bytes += len(chunk)
        return chunk


def read_from(fd: int) -> Read:
    """Chunks of a pipe or a file from its current position."""
    return lambda: os.read(fd, _RAW_BYTES)


def read_range(fd: int, offset: int, size: int) -> Read:
    """Chunks of `size` bytes of a file from `offset` on; its position does not matter and does not move."""
    end = offset + size

    def read() -> bytes:
        nonlocal offset
        chunk = os.pread(fd, min(_RAW_BYTES, end - offset), offset)
        offset += len(chunk)
        return chunk

    return read


def prefetched(chunks: Iterator[bytes]) -> Read:
    """The chunks, made in a thread ahead of the reader: decompressing and hashing let go of the interpreter lock.

    For a process that ends when it has read all: the thread is not joined.
    """
    from _queue import SimpleQueue  # what the queue module is made of, without what that imports
    from _thread import start_new_thread

    ready: SimpleQueue[Any] = SimpleQueue()
    room: SimpleQueue[None] = SimpleQueue()  # an entry for each chunk that may be made
    for _ in range(_QUEUED_CHUNKS):
        room.put(None)

    def work() -> None:
        try:
            for chunk in chunks:
                room.get()
                ready.put(chunk)
            ready.put(b"")
        except BaseException as error:  # noqa: BLE001  the thread ends here; the reader raises it
            ready.put(error)

    start_new_thread(work, ())
    ended = False

    def read() -> bytes:
        nonlocal ended
        if ended:
            return b""
        chunk = ready.get()
        room.put(None)
        if isinstance(chunk, BaseException):
            ended = True
            raise chunk
        ended = not chunk
        return bytes(chunk)

    return read
