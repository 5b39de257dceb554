"""Writing zstd:chunked: a zstd stream whose files can be fetched and unpacked one by one.

    frames of headers and of content | TOC | tar-split data | footer

For every other program it is a zstd stream: the content of each file stands in frames of its own, and what comes after
the archive in skippable frames. The table of contents (TOC) says where each file is and what its digest is; annotations
of the layer's descriptor say where the TOC is, and its digest. Sources: containers/storage, docs/
containers-storage-zstd-chunked.md and the constants of pkg/chunked/internal/minimal; RFC 8878.

The same archive always gives the same bytes, with the same version of libzstd.
"""

from __future__ import annotations

from storage import chunked, tar
from storage.crc64 import crc64
from storage.tarsplit import TarSplitWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

DEFAULT_LEVEL = 3
_CHUNK_BYTES = 4 << 20
"""Longer files are in several frames, so that a change fetches less than all, and no reader needs all in memory."""
_MOST_RAW_BYTES = 1 << 20
_NANO = 1_000_000_000


def write_chunked(
    chunks: Iterator[bytes],
    write: Callable[[bytes], object],
    *,
    level: int | None = None,
) -> dict[str, str]:
    """Compress the tar archive that comes in `chunks`; the annotations for the descriptor of the layer.

    An archive that a table of contents cannot describe (several entries of one name, names that are not UTF-8, sparse
    files, global headers) becomes a plain zstd stream, without annotations. Raises tar.InvalidArchive, and what
    `chunks` and `write` raise.
    """
    return _Writer(chunks, write, DEFAULT_LEVEL if level is None else level).run()


class _Writer:
    def __init__(
        self, chunks: Iterator[bytes], write: Callable[[bytes], object], level: int
    ) -> None:
        import zstandard  # heavy

        self._write = write
        self._offset = 0
        self._frames = zstandard.ZstdCompressor(level=level)
        self._source = _Source(chunks)
        self._reader = _HeaderReader(self._source.more)
        self._raw = b""  # of the archive, not yet compressed
        self._entries: list[dict[str, Any]] = []
        self._names: set[str] = set()
        self._describable = True
        self._split: list[bytes] = []
        self._split_size = 0
        self._split_frame = zstandard.ZstdCompressor(level=level).compressobj()
        self._tar_split = TarSplitWriter(self._add_split)

    def run(self) -> dict[str, str]:
        while (entry := self._reader.next_entry()) is not None:
            self._add_raw(self._source.take(self._reader))
            facts = self._facts(entry)
            if facts is None or not self._describable:
                self._describable = False
                for piece in self._reader.data():
                    self._source.forget(self._reader)
                    self._add_raw(piece)
                continue
            checksum = self._content(entry, facts) if entry.size else 0
            self._tar_split.file(facts["name"], entry.size, checksum)
        self._add_raw(self._source.rest())
        self._flush_raw()
        if not self._describable:
            return {}
        return self._finish()

    def _content(self, entry: tar.Entry, facts: dict[str, Any]) -> int:
        """The content of a file, in frames of its own; its CRC-64."""
        import hashlib

        self._flush_raw()
        whole, checksum, left = hashlib.sha256(), 0, entry.size
        facts["size"] = left
        parts = [facts]
        while left:
            data = self._piece(min(left, _CHUNK_BYTES))
            if left < entry.size:
                part = {"type": "chunk", "name": facts["name"], "chunkOffset": entry.size - left}
                self._entries.append(part)
                parts.append(part)
            whole.update(data)
            checksum = crc64(data, checksum)
            if entry.size > _CHUNK_BYTES:
                digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
                parts[-1].update(chunkSize=len(data), chunkDigest=digest)
            parts[-1]["offset"] = self._offset
            left -= len(data)
            self._emit(self._frames.compress(data))
        facts["endOffset"] = self._offset
        facts["digest"] = f"sha256:{whole.hexdigest()}"
        return checksum

    def _piece(self, size: int) -> bytes:
        data = self._reader.take(size)
        self._source.forget(self._reader)
        return data

    def _facts(self, entry: tar.Entry) -> dict[str, Any] | None:
        """What the TOC says of an entry, and add it; None when the TOC cannot say it."""
        header = self._reader.header
        if self._reader.is_odd or header[156:157] not in _PLAIN:
            return None
        facts: dict[str, Any]
        try:
            facts = {"type": _KINDS[entry.kind], "name": entry.name.decode()}
            if entry.kind in {tar.LINK, tar.SYMLINK}:
                facts["linkName"] = entry.link.decode()
            facts["modtime"] = _time(entry.mtime_ns)
        except (UnicodeDecodeError, OverflowError):
            return None
        if facts["name"] in self._names or not facts["name"]:
            return None
        self._names.add(facts["name"])
        facts.update(mode=tar.number(header[100:108]), uid=entry.uid, gid=entry.gid)
        for key, name in ((b"atime", "accesstime"), (b"ctime", "changetime")):
            if key in self._reader.pax:
                facts[name] = _time(tar.time_ns(self._reader.pax[key]))
        if header[257:262] == b"ustar":
            for at, name in ((329, "devMajor"), (337, "devMinor")):
                if number := tar.number(header[at : at + 8]):
                    facts[name] = number
        if entry.xattrs:
            from binascii import b2a_base64

            try:
                facts["xattrs"] = {
                    name.decode(): b2a_base64(value, newline=False).decode()
                    for name, value in sorted(entry.xattrs.items())
                }
            except UnicodeDecodeError:
                return None
        self._entries.append(facts)
        return facts

    def _add_raw(self, data: bytes) -> None:
        if not data:
            return
        if self._describable:
            self._tar_split.segment(data)
        self._raw += data
        if len(self._raw) >= _MOST_RAW_BYTES:
            self._flush_raw()

    def _flush_raw(self) -> None:
        if self._raw:
            self._emit(self._frames.compress(self._raw))
            self._raw = b""

    def _add_split(self, line: bytes) -> None:
        self._split_size += len(line)
        if compressed := self._split_frame.compress(line):
            self._split.append(compressed)

    def _emit(self, data: bytes) -> None:
        self._write(data)
        self._offset += len(data)

    def _finish(self) -> dict[str, str]:
        import hashlib
        import json

        self._split.append(self._split_frame.flush())
        split = b"".join(self._split)
        toc = json.dumps(
            {
                "version": 1,
                "entries": self._entries,
                "tarSplitDigest": f"sha256:{hashlib.sha256(split).hexdigest()}",
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
        packed = self._frames.compress(toc)
        places = chunked.Places(
            toc=chunked.Span(self._offset + chunked.SKIPPABLE_HEADER, len(packed)),
            toc_size=len(toc),
            split=chunked.Span(
                self._offset + 2 * chunked.SKIPPABLE_HEADER + len(packed), len(split)
            ),
            split_size=self._split_size,
        )
        for content in (packed, split, chunked.footer(places)):
            self._emit(chunked.skippable(content))
        return chunked.describe(places, f"sha256:{hashlib.sha256(packed).hexdigest()}")


class _Source:
    """The bytes of the archive on their way into the reader, and again those that are no content of files."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._mark = 0
        self._pending: list[bytes] = []

    def more(self) -> bytes:
        self._pending.append(self._chunk[self._mark :])
        self._chunk, self._mark = next(self._chunks, b""), 0
        return self._chunk

    def take(self, reader: tar.TarReader) -> bytes:
        """What the reader has read and nobody has taken or forgotten."""
        at = reader.position_in_chunk
        data = b"".join((*self._pending, self._chunk[self._mark : at]))
        self._pending, self._mark = [], at
        return data

    def forget(self, reader: tar.TarReader) -> None:
        self._pending, self._mark = [], reader.position_in_chunk

    def rest(self) -> bytes:
        """All that is left, the end of the archive and what follows it."""
        data = b"".join((*self._pending, self._chunk[self._mark :], *self._chunks))
        self._pending, self._chunk, self._mark = [], b"", 0
        return data


class _HeaderReader(tar.TarReader):
    """Keeps what the unpacker does not need of a header."""

    header = b""
    pax: dict[bytes, bytes] = {}  # noqa: RUF012  replaced, never changed
    is_odd = False
    """A sparse file, a global header before it, or times of GNU tar: what the TOC has no words for."""

    def _entry(
        self,
        header: bytes,
        pax: dict[bytes, bytes],
        sparse_pairs: list[bytes],
        long_name: bytes | None,
        long_link: bytes | None,
    ) -> tar.Entry:
        self.header, self.pax = header, pax
        entry = super()._entry(header, pax, sparse_pairs, long_name, long_link)
        gnu_times = header[257:265] == b"ustar  \0" and any(header[345:369])
        self.is_odd = self.is_odd or entry.sparse is not None or gnu_times
        return entry

    def _extension(self, header: bytes) -> bytes:
        self.is_odd = self.is_odd or header[156:157] == b"g"
        return super()._extension(header)


_KINDS = {
    tar.REGULAR: "reg",
    tar.LINK: "hardlink",
    tar.SYMLINK: "symlink",
    tar.CHARACTER: "char",
    tar.BLOCK_DEVICE: "block",
    tar.DIRECTORY: "dir",
    tar.FIFO: "fifo",
}
_PLAIN = frozenset((*_KINDS, b"\0"))


def _time(ns: int) -> str:
    """RFC 3339, as Go writes it: with as many digits behind the point as needed."""
    import datetime  # heavy

    seconds, rest = divmod(ns, _NANO)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)  # UTC
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{moment.isoformat()}{fraction}Z"
