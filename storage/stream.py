"""The bytes of a layer on their way in: decompressed, counted, hashed, and bounded.

Compression is told by the first bytes, never by a media type: both are under somebody else's control, and the bytes
decide what a decompressor does.
"""

from __future__ import annotations

import os
import zlib

from pod.base.errors import PodError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Read = Callable[[], bytes]

_RAW_BYTES = 256 << 10  # compressed bytes handed to a decompressor at a time
_CHUNK_BYTES = 1 << 20  # no more than this comes out of it at a time
_QUEUED_CHUNKS = 8
_ZSTD_WINDOW = 128 << 20  # what zstd itself allows without --long
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
_ZSTD, _ZSTD_SKIPPABLE = b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"


class InvalidStream(PodError):
    """Compressed data that no decompressor accepts; `why` is without the name of the layer."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the data cannot be decompressed: {why}")
        self.why = why


class TooLarge(PodError):
    """The data grew beyond a limit."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the data is too large: {why}")
        self.why = why


class Limits(Record):
    """How much a layer may unpack to. The defaults let every image of this world pass, and no bomb."""

    max_bytes: int = 0
    """Uncompressed; 0 stands for the free space of the disk."""
    max_ratio: int = 300
    """Uncompressed bytes per compressed byte, once `ratio_from` bytes have come; gzip cannot exceed 1032."""
    ratio_from: int = 4 << 30
    max_entries: int = 5_000_000


class LayerStream:
    """Decompressed chunks of what `read` gives; afterwards the digest and the sizes of the whole."""

    def __init__(
        self, read: Read, *, max_bytes: int, limits: Limits, algorithm: str = "sha256"
    ) -> None:
        import hashlib  # heavy

        self.compressed_bytes = 0
        self.bytes = 0
        self.compression = ""
        self._read = read
        self._max_bytes = max_bytes
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
                raise TooLarge(f"more than {self._max_bytes} bytes when uncompressed")
            if (
                self.bytes > self._limits.ratio_from
                and self.bytes > self._limits.max_ratio * self.compressed_bytes
            ):
                raise TooLarge(f"{self.bytes} bytes come out of {self.compressed_bytes}")
            self._hash.update(chunk)
            yield chunk

    def _decompressed(self) -> Iterator[bytes]:
        start = self._raw()
        while start and len(start) < BLOCK_FOR_DETECTION and (more := self._raw()):
            start += more
        self.compression = detect(start)
        rest = _with_start(start, self._raw)
        if self.compression == "":
            return iter(rest, b"")
        if self.compression == "gzip":
            return _gunzip(rest)
        if self.compression == "zstd":
            return _unzstd(rest)
        return _other(self.compression, rest)

    def _raw(self) -> bytes:
        chunk = self._read()
        self.compressed_bytes += len(chunk)
        return chunk


BLOCK_FOR_DETECTION = 512


def detect(start: bytes) -> str:
    """ "gzip", "zstd", "bzip2", "xz", or "" for data that is not compressed."""
    if start[257:262] == b"ustar":
        return ""  # an archive whose first name looks like something else
    if start.startswith(_GZIP):
        return "gzip"
    if start.startswith(_ZSTD) or (start[1:4] == _ZSTD_SKIPPABLE and start[0] & 0xF0 == 0x50):
        return "zstd"
    if start.startswith(_XZ):
        return "xz"
    if start.startswith(_BZIP2) and start[4:10] == b"1AY&SY":
        return "bzip2"
    return ""


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
    import queue  # heavy
    import threading

    ready: queue.Queue[Any] = queue.Queue(_QUEUED_CHUNKS)

    def work() -> None:
        try:
            for chunk in chunks:
                ready.put(chunk)
            ready.put(b"")
        except BaseException as error:  # noqa: BLE001  the thread ends here; the reader raises it
            ready.put(error)

    threading.Thread(target=work, daemon=True).start()
    ended = False

    def read() -> bytes:
        nonlocal ended
        if ended:
            return b""
        chunk = ready.get()
        if isinstance(chunk, BaseException):
            ended = True
            raise chunk
        ended = not chunk
        return bytes(chunk)

    return read


def _with_start(start: bytes, read: Read) -> Read:
    """`read`, with bytes that were read ahead."""
    waiting = [start]

    def again() -> bytes:
        return waiting.pop() if waiting else read()

    return again


def _gunzip(read: Read) -> Iterator[bytes]:
    """Any number of gzip members, RFC 1952; zeros may follow them, as tape blocks do."""
    data = read()
    while data:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while not member.eof:
            try:
                chunk = member.decompress(data, _CHUNK_BYTES)
            except zlib.error as error:
                raise InvalidStream(str(error)) from error
            data = member.unconsumed_tail
            if chunk:
                yield chunk
            elif not member.eof and not data:
                data = read()
                if not data:
                    raise InvalidStream("it ends too early")
        data = member.unused_data or read()
        while data and not data.strip(b"\0"):
            data = read()
        if data and not data.startswith(_GZIP[: len(data)]):
            raise InvalidStream("something else follows the compressed data")


def _unzstd(read: Read) -> Iterator[bytes]:
    """Any number of zstd frames, RFC 8878, among them the skippable ones of zstd:chunked."""
    import zstandard  # heavy

    class Source:
        def __init__(self) -> None:
            self.ended = False

        def read(self, _size: int) -> bytes:
            chunk = read()
            self.ended = not chunk
            return chunk

    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    reader = decompressor.stream_reader(Source(), read_across_frames=True)  # type: ignore[arg-type]  # any reader
    while True:
        try:
            chunk = reader.read(_CHUNK_BYTES)
        except zstandard.ZstdError as error:
            raise InvalidStream(str(error)) from error
        if not chunk:
            return
        yield chunk


def _other(compression: str, read: Read) -> Iterator[bytes]:
    """bzip2 and xz, with as many streams as there are."""
    make: Callable[[], Any]
    errors: tuple[type[Exception], ...]
    if compression == "bzip2":
        import bz2  # heavy

        make, errors = bz2.BZ2Decompressor, (OSError, ValueError)
    else:
        import lzma  # heavy

        make, errors = _bounded_xz, (lzma.LZMAError,)
    data = read()
    while data:
        stream = make()
        while not stream.eof:
            if stream.needs_input and not data:
                data = read()
                if not data:
                    raise InvalidStream("it ends too early")
            try:
                chunk = stream.decompress(data, _CHUNK_BYTES)
            except errors as error:
                raise InvalidStream(str(error)) from error
            data = b""
            if chunk:
                yield chunk
        data = stream.unused_data or read()
        while data and not data.strip(b"\0"):  # xz pads streams with zeros
            data = read()


def _bounded_xz() -> Any:
    import lzma  # heavy

    return lzma.LZMADecompressor(memlimit=256 << 20)
