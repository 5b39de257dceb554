"""Reading tar archives as a stream: ustar, pax (POSIX.1-2001), GNU and old V7 headers, GNU sparse files.

The input is hostile: every number is checked, every length bounded, and whatever is wrong ends in InvalidArchive. Names
stay bytes. What an entry may do to a file system is decided in `unpack.py`. Where the formats leave room, we read as
Go's archive/tar does, since images are made for engines that use it.
"""

from __future__ import annotations

from zlib import adler32

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 512
MOST_EXTENSION_BYTES = (
    1 << 20
)  # one pax or GNU extension header, one sparse map; the limit of Go's reader
_LARGEST = (1 << 63) - 1
_NANO = 1_000_000_000

REGULAR, LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = (
    b"0",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"6",
)
_SPARSE, _PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"S", b"x", b"g", b"L", b"K"
_WITHOUT_DATA = frozenset((LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO))
_REGULAR_KINDS = frozenset((REGULAR, b"\0", b"7", _SPARSE))
_XATTR = b"SCHILY.xattr."
_ZEROS = bytes(BLOCK)


class InvalidArchive(PodError):
    """The bytes are not a tar archive, or not one that can be trusted; `why` is without the name of the archive."""

    def __init__(self, why: str) -> None:
        super().__init__(f"not a valid tar archive: {why}")
        self.why = why


class TruncatedArchive(InvalidArchive):
    """The archive ends inside an entry."""

    def __init__(self) -> None:
        super().__init__("it ends inside an entry")


class Entry:
    """One member. `size` counts the bytes that follow in the archive; a sparse file is longer, see `sparse`."""

    __slots__ = (
        "gid",
        "kind",
        "link",
        "major",
        "minor",
        "mode",
        "mtime_ns",
        "name",
        "real_size",
        "size",
        "sparse",
        "uid",
        "xattrs",
    )

    name: bytes
    kind: bytes  # one of the constants above; REGULAR for everything that has content
    mode: int  # permission bits with set-id and sticky
    uid: int
    gid: int
    size: int
    mtime_ns: int
    link: bytes
    major: int
    minor: int
    xattrs: dict[bytes, bytes] | None
    sparse: list[tuple[int, int]] | None  # (offset, length) of the pieces that have data, in order
    real_size: int


class TarReader:
    """Entries of an archive that comes in chunks: `more` returns the next one, and b"" at the end for ever.

        while (entry := reader.next_entry()) is not None:
            for chunk in reader.data(): ...

    Data that was not asked for is skipped. Raises InvalidArchive, and what `more` raises.
    """

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._buffer = b""
        self._at = 0
        self._left = 0  # bytes of the current entry's data that nobody has asked for
        self._padding = 0
        self._ended = False

    def next_entry(self) -> Entry | None:
        """The next member; None after the last."""
        pax: dict[bytes, bytes] = {}
        sparse_pairs: list[bytes] = []
        long_name: bytes | None = None
        long_link: bytes | None = None
        while True:
            self._skip_data()
            header = self._header()
            if header is None:
                if pax or long_name is not None or long_link is not None:
                    raise TruncatedArchive
                return None
            kind = header[156:157]
            if kind == _PAX:
                pax = self._pax_records(self._extension(header), sparse_pairs)
            elif kind == _PAX_GLOBAL:
                self._extension(header)  # read and dropped, as by every engine
            elif kind == _LONG_NAME:
                long_name = self._extension(header).partition(b"\0")[0]
            elif kind == _LONG_LINK:
                long_link = self._extension(header).partition(b"\0")[0]
            else:
                return self._entry(header, pax, sparse_pairs, long_name, long_link)

    def data(self) -> Iterator[bytes]:
        """The rest of the current entry's data, as it lies in the archive."""
        while self._left:
            available = len(self._buffer) - self._at
            if not available:
                self._fill()
                continue
            size = min(available, self._left)
            chunk = self._buffer[self._at : self._at + size]
            self._at += size
            self._left -= size
            yield chunk

    def small_data(self) -> bytes | None:
        """All of the current entry's data, when it is at hand in one piece; otherwise None, and nothing is consumed."""
        end = self._at + self._left
        if end > len(self._buffer):
            return None
        chunk = self._buffer[self._at : end]
        self._at, self._left = end, 0
        return chunk

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes of the current entry's data."""
        if size > self._left:
            raise InvalidArchive("an entry has less data than its map says")
        self._left -= size
        return self._take(size)

    @property
    def position_in_chunk(self) -> int:
        """How much of the last chunk that `more` has given was read."""
        return self._at

    def drain(self) -> None:
        """Read to the end of the input: what follows the archive belongs to the digest."""
        while self._more():
            pass
        self._buffer, self._at = b"", 0

    def _entry(
        self,
        header: bytes,
        pax: dict[bytes, bytes],
        sparse_pairs: list[bytes],
        long_name: bytes | None,
        long_link: bytes | None,
    ) -> Entry:
        entry = Entry()
        kind = header[156:157]
        entry.name = header[:100].partition(b"\0")[0]
        if header[257:263] == b"ustar\0" and header[345]:
            entry.name = header[345:500].partition(b"\0")[0] + b"/" + entry.name
        entry.link = header[157:257].partition(b"\0")[0]
        entry.mode = number(header[100:108]) & 0o7777
        entry.uid = number(header[108:116])
        entry.gid = number(header[116:124])
        entry.size = number(header[124:136])
        entry.mtime_ns = number(header[136:148], negative=True) * _NANO
        entry.major = entry.minor = 0
        entry.xattrs = entry.sparse = None
        if long_name is not None:
            entry.name = long_name
        if long_link is not None:
            entry.link = long_link
        if pax:
            _apply_pax(entry, pax)
        if kind in _REGULAR_KINDS:
            # V7 had no type for directories but a slash at the end of the name.
            kind, old = REGULAR, kind
            if old == b"\0" and entry.name.endswith(b"/"):
                kind = DIRECTORY
        elif kind in {CHARACTER, BLOCK_DEVICE}:
            entry.major, entry.minor = number(header[329:337]), number(header[337:345])
        elif kind not in _WITHOUT_DATA:
            raise InvalidArchive(f"entries of type {kind!r} are not known")
        entry.kind = kind
        if kind in _WITHOUT_DATA:
            entry.size = (
                0  # some writers give the size of a link's target; no data follows, as in Go
            )
        self._left = entry.size
        self._padding = -entry.size % BLOCK
        entry.real_size = entry.size
        if header[156:157] == _SPARSE:
            self._old_sparse(entry, header)
        elif pax and kind == REGULAR:
            self._pax_sparse(entry, pax, sparse_pairs)
        return entry

    # Sparse files: GNU tar manual, "Storing Sparse Files"

    def _old_sparse(self, entry: Entry, header: bytes) -> None:
        pairs = _old_pairs(header[386:482])
        more, blocks = header[482], 0
        while more:
            blocks += 1
            if blocks * BLOCK > MOST_EXTENSION_BYTES:
                raise InvalidArchive("a sparse map is too long")
            block = self._take(BLOCK)
            pairs += _old_pairs(block[:504])
            more = block[504]
        _set_sparse(entry, pairs, number(header[483:495]))

    def _pax_sparse(self, entry: Entry, pax: dict[bytes, bytes], pairs: list[bytes]) -> None:
        if pax.get(b"GNU.sparse.major") == b"1" and pax.get(b"GNU.sparse.minor") == b"0":
            numbers = self._sparse_map_in_data()
            size = pax.get(b"GNU.sparse.realsize", b"")
        elif b"GNU.sparse.map" in pax or pairs:
            numbers = [
                _decimal(text) for text in pairs or pax[b"GNU.sparse.map"].split(b",") if text
            ]
            size = pax.get(b"GNU.sparse.size") or pax.get(b"GNU.sparse.realsize", b"")
        elif any(key.startswith(b"GNU.sparse.") for key in pax):
            raise InvalidArchive("a sparse file is of an unknown format")
        else:
            return
        if len(numbers) % 2:
            raise InvalidArchive("a sparse map is incomplete")
        _set_name(entry, pax.get(b"GNU.sparse.name", b""))
        entry.size = self._left
        _set_sparse(entry, list(zip(numbers[::2], numbers[1::2], strict=True)), _decimal(size))

    def _sparse_map_in_data(self) -> list[int]:
        """Format 1.0: decimal numbers, a line each, at the head of the data, padded to whole blocks."""
        text, count, taken = b"", -1, 0
        while True:
            text += self.take(BLOCK)
            taken += BLOCK
            if taken > MOST_EXTENSION_BYTES:
                raise InvalidArchive("a sparse map is too long")
            lines = text.split(b"\n")
            if count < 0 and len(lines) > 1:
                count = _decimal(lines[0])
                if count > MOST_EXTENSION_BYTES:
                    raise InvalidArchive("a sparse map is too long")
            if count >= 0 and len(lines) > 2 * count + 1:
                return [_decimal(line) for line in lines[1 : 2 * count + 1]]

    # Headers

    def _header(self) -> bytes | None:
        """The next header block; None at the end of the archive: one or two blocks of zeros, or no more input."""
        if self._ended:
            return None
        header = self._take(BLOCK, may_end=True)
        if not header or header == _ZEROS:
            self._ended = True
            return None
        expected = number(header[148:156])
        # The low half of Adler-32 is one plus the sum of the bytes, modulo 65521: a fast way to sum them up.
        total = (adler32(header) & 0xFFFF) - 1 - sum(header[148:156]) + 8 * 32
        if (total - expected) % 65521 and _signed_sum(header) != expected:
            raise InvalidArchive("the checksum of a header is wrong")
        return header

    def _extension(self, header: bytes) -> bytes:
        """The content of an extension header."""
        size = number(header[124:136])
        if size > MOST_EXTENSION_BYTES:
            raise InvalidArchive(f"an extension header has {size} bytes")
        content = self._take(size)
        self._take(-size % BLOCK)
        return content

    def _pax_records(self, content: bytes, sparse_pairs: list[bytes]) -> dict[bytes, bytes]:
        """Records "LENGTH KEY=VALUE\\n". The repeated keys of the first sparse format go to `sparse_pairs`."""
        records: dict[bytes, bytes] = {}
        sparse_pairs.clear()
        at = 0
        while at < len(content):
            space = content.find(b" ", at, at + 21)
            if space < 0:
                raise InvalidArchive("a pax record has no length")
            end = at + _decimal(content[at:space])
            if end > len(content) or end <= space + 1 or content[end - 1] != 0x0A:
                raise InvalidArchive("a pax record has a wrong length")
            key, equals, value = content[space + 1 : end - 1].partition(b"=")
            if not equals or not key or b"\0" in key:
                raise InvalidArchive("a pax record has no key")
            if key in {b"GNU.sparse.offset", b"GNU.sparse.numbytes"}:
                sparse_pairs.append(value)
            elif value or key.startswith(_XATTR):
                records[key] = value
            else:
                records.pop(key, None)  # an empty value takes an earlier one back
            at = end
        return records

    # Input

    def _skip_data(self) -> None:
        rest = self._left + self._padding
        self._left = self._padding = 0
        while rest:
            available = len(self._buffer) - self._at
            if available >= rest:
                self._at += rest
                return
            rest -= available
            self._fill()

    def _take(self, size: int, *, may_end: bool = False) -> bytes:
        """`size` bytes of input; with `may_end`, b"" when there are none at all."""
        end = self._at + size
        if end <= len(self._buffer):
            piece = self._buffer[self._at : end]
            self._at = end
            return piece
        parts = [self._buffer[self._at :]]
        missing = size - len(parts[0])
        self._at = len(self._buffer)
        while missing:
            chunk = self._more()
            if not chunk:
                if may_end and not any(parts):
                    return b""
                raise TruncatedArchive
            self._buffer, self._at = chunk, min(missing, len(chunk))
            parts.append(chunk[: self._at])
            missing -= self._at
        return b"".join(parts)

    def _fill(self) -> None:
        """Replace the buffer, which is used up, by the next chunk."""
        self._buffer, self._at = self._more(), 0
        if not self._buffer:
            raise TruncatedArchive


def _apply_pax(entry: Entry, pax: dict[bytes, bytes]) -> None:
    for key, value in pax.items():
        if key == b"path":
            _set_name(entry, value)
        elif key == b"linkpath":
            entry.link = value
            if b"\0" in value:
                raise InvalidArchive("the target of a link has a zero byte")
        elif key == b"size":
            entry.size = _decimal(value)
        elif key == b"uid":
            entry.uid = _decimal(value)
        elif key == b"gid":
            entry.gid = _decimal(value)
        elif key == b"mtime":
            entry.mtime_ns = time_ns(value)
        elif key.startswith(_XATTR):
            if entry.xattrs is None:
                entry.xattrs = {}
            entry.xattrs[key[len(_XATTR) :]] = value


def _set_name(entry: Entry, name: bytes) -> None:
    if b"\0" in name:
        raise InvalidArchive("a name has a zero byte")
    if name:
        entry.name = name


def _set_sparse(entry: Entry, pairs: list[tuple[int, int]], real_size: int) -> None:
    """Check the map against the data and the size of the file."""
    end = data = 0
    for offset, length in pairs:
        if offset < end:
            raise InvalidArchive("the pieces of a sparse file overlap")
        end = offset + length
        data += length
    if end > real_size or real_size > _LARGEST:
        raise InvalidArchive("a sparse file is longer than it says")
    if data != entry.size:
        raise InvalidArchive("a sparse file has another amount of data than its map")
    entry.sparse, entry.real_size = pairs, real_size


def _old_pairs(area: bytes) -> list[tuple[int, int]]:
    pairs = []
    for at in range(0, len(area), 24):
        if not area[at]:
            break
        pairs.append((number(area[at : at + 12]), number(area[at + 12 : at + 24])))
    return pairs


def number(field: bytes, *, negative: bool = False) -> int:
    """A number of a header: octal digits, or base 256 when the highest bit is set (GNU)."""
    first = field[0]
    if first & 0x80:
        value = (
            int.from_bytes(field, "big", signed=True)
            if first == 0xFF
            else int.from_bytes(field, "big")
        )
        if first != 0xFF:
            value -= 1 << (8 * len(field) - 1)
        if abs(value) > _LARGEST or (value < 0 and not negative):
            raise InvalidArchive("a number of a header is out of range")
        return value
    digits = field.partition(b"\0")[0].strip(b" ")
    if not digits:
        return 0
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise InvalidArchive("a number of a header is not octal")
    return int(digits, 8)


def _decimal(text: bytes) -> int:
    """A number of a pax record: decimal digits and nothing else."""
    if not text.isdigit() or len(text) > 19:
        raise InvalidArchive("a number of a pax record is not decimal")
    value = int(text)
    if value > _LARGEST:
        raise InvalidArchive("a number of a pax record is out of range")
    return value


def time_ns(text: bytes) -> int:
    """Seconds with a sign and a fraction, as nanoseconds; digits beyond the ninth are dropped."""
    sign = -1 if text.startswith(b"-") else 1
    seconds, point, fraction = text.removeprefix(b"-").partition(b".")
    if point and fraction and not fraction.isdigit():
        raise InvalidArchive("a time of a pax record is not a number")
    return sign * (_decimal(seconds) * _NANO + int(fraction[:9].ljust(9, b"0")))


def _signed_sum(header: bytes) -> int:
    """The checksum as old tars computed it, with signed characters."""
    counted = header[:148] + b" " * 8 + header[156:]
    return sum(byte - 256 if byte > 127 else byte for byte in counted)
