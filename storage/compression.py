"""Decompression in small steps, whatever the data says about itself.

Compression is told by the first bytes, never by a media type: both are under somebody else's control, and the bytes
decide what a decompressor does.
"""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Read = Callable[[], bytes]
    """Gives the next bytes; b"" at the end."""

ENOUGH = 512
"""With so many bytes, or all there are, `detect` can tell."""

_CHUNK_BYTES = 1 << 20  # no more than this comes out of a decompressor at a time
_ZSTD_WINDOW = 128 << 20  # what zstd itself allows without --long
_XZ_MEMORY = 256 << 20
_GZIP, _XZ, _ZSTD = b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f
_BZIP2_BLOCKS = (
    b"1AY&SY",
    b"\x17\x72\x45\x38\x50\x90",
)  # a block of data, or the end of an empty stream


class InvalidStream(PodError):
    """Compressed data that no decompressor accepts; `why` is without the name of the layer."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the data cannot be decompressed: {why}")
        self.why = why


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
    if start.startswith(b"BZh") and start[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    return ""


def decompress(kind: str, read: Read) -> Iterator[bytes]:
    """What comes out of the bytes of `read`, in chunks of bounded size; `kind` is what `detect` says.

    Several compressed streams in a row are one; zeros may follow them, as tape blocks do. Raises InvalidStream, also
    when the data ends too early.
    """
    if kind == "":
        return iter(read, b"")
    if kind == "gzip":
        return _gunzip(read)
    if kind == "zstd":
        return _unzstd(read)
    return _other(kind, read)


def _inflater() -> Any:
    """The zlib module, or one that works like it and takes half the time: ISA-L's, where it is installed."""
    try:
        from isal import isal_zlib
    except ImportError:
        import zlib

        return zlib
    return isal_zlib


def _gunzip(read: Read) -> Iterator[bytes]:
    """RFC 1952."""
    zlib = _inflater()
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
        data = _next_stream(member.unused_data, read)
        if not data.startswith(_GZIP[: len(data)]):
            raise InvalidStream("something else follows the compressed data")


def _unzstd(read: Read) -> Iterator[bytes]:
    """RFC 8878, with the skippable frames of zstd:chunked."""
    import zstandard  # heavy

    frames = _Frames(read)
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    reader = decompressor.stream_reader(frames, read_across_frames=True)  # type: ignore[arg-type]  # any reader
    while True:
        try:
            chunk = reader.read(_CHUNK_BYTES)
        except zstandard.ZstdError as error:
            raise InvalidStream(str(error)) from error
        if not chunk:
            break
        yield chunk
    if not frames.complete:
        raise InvalidStream("it ends too early")


class _Frames:
    """Zstandard data, passed on as it is; afterwards, whether it ended with a whole frame.

    The library takes the end of its input for the end of the data. So this follows the lengths of frames and blocks,
    RFC 8878, section 3.1.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._pending = b""
        self._skip = 0  # bytes whose content does not matter here
        self._checksum = 0
        self._in_frame = False

    def read(self, _size: int) -> bytes:
        data = self._read()
        self._follow(data)
        return data

    @property
    def complete(self) -> bool:
        return not (self._in_frame or self._skip or self._pending)

    def _follow(self, data: bytes) -> None:
        data, at = self._pending + data, 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
            else:
                step = self._block(data, at) if self._in_frame else self._frame(data, at)
                if not step:
                    break  # more bytes are needed
            at += step
        self._pending = data[at:]

    def _frame(self, data: bytes, at: int) -> int:
        if data[at + 1 : at + 4] == _ZSTD_SKIPPABLE:
            if len(data) < at + 8:
                return 0
            self._skip = int.from_bytes(data[at + 4 : at + 8], "little")
            return 8
        if len(data) < at + 5:
            return 0
        descriptor = data[at + 4]
        single_segment = descriptor >> 5 & 1
        window = 1 - single_segment
        dictionary = (0, 1, 2, 4)[descriptor & 3]
        content_size = (single_segment, 2, 4, 8)[descriptor >> 6]
        self._checksum = 4 * (descriptor >> 2 & 1)
        self._in_frame = True
        self._skip = window + dictionary + content_size
        return 5

    def _block(self, data: bytes, at: int) -> int:
        if len(data) < at + 3:
            return 0
        header = int.from_bytes(data[at : at + 3], "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        self._skip = 1 if kind == 1 else size  # a repeated byte stands once
        if last:
            self._in_frame = False
            self._skip += self._checksum
        return 3


def _other(kind: str, read: Read) -> Iterator[bytes]:
    make: Callable[[], Any]
    errors: tuple[type[Exception], ...]
    if kind == "bzip2":
        import bz2  # heavy

        make, errors = bz2.BZ2Decompressor, (OSError, ValueError)
    else:
        import lzma  # heavy

        def make() -> Any:
            return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

        errors = (lzma.LZMAError,)
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
        data = _next_stream(stream.unused_data, read)


def _next_stream(data: bytes, read: Read) -> bytes:
    """What follows a compressed stream and the zeros behind it; b"" at the end."""
    data = data.lstrip(b"\0")
    while not data and (more := read()):
        data = more.lstrip(b"\0")
    return data
