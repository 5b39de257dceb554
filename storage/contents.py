"""What the table of contents (TOC) of a layer says about its blob: which bytes belong to which file.

Two formats have one: zstd:chunked (chunked.py) and eStargz, whose files are gzip members of their own, and whose last
member is a tar archive with `stargz.index.json`. Source: containerd/stargz-snapshotter, docs/estargz.md.

A TOC comes from a stranger. It is used to guess which bytes of a blob are the same as bytes of another blob, and for
nothing else: the digest of the blob decides whether the guess was right, and files are made from the archive. So its
paths, links and owners need no check, and a lie costs a download.
"""

from __future__ import annotations

import zlib

from pod.base.errors import PodError
from pod.spec.digest import is_digest
from storage import chunked, tar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    ReadAt = Callable[[int, int], bytes]
    """Offset and size of a range of the blob -> its bytes."""
    Piece = tuple[int, int, bytes, tuple[Any, Any, Any, Any] | None]
    """Start and end of a range of the blob; a hash of what the TOC says of it, by which pieces are compared; and for
    one that is nothing but content: name, offset and size in the file, digest, of any types."""

ESTARGZ_DIGEST = "containerd.io/snapshot/stargz/toc.digest"
_MOST_TAIL_BYTES = 16 << 20
_MOST_TOC_BYTES = 16 << 20
"""Of JSON, for 50,000 files; in memory it takes some times as much."""
_ESTARGZ_NAME = b"stargz.index.json"
_ESTARGZ_FOOTER = 51
_GUESS = 16 << 10
_HEADER_FIELDS = (
    "type", "name", "linkName", "size", "mode", "uid", "gid", "userName", "groupName", "modtime",
    "accesstime", "changetime", "devMajor", "devMinor", "xattrs",
)  # fmt: skip


class InvalidContents(PodError):
    """A TOC that is damaged, too large, or not of this blob; `why` is without the name of the layer."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the table of contents cannot be used: {why}")
        self.why = why


class Contents:
    """The TOC of a blob. `end` is where it begins, behind all content; `tail` are the bytes from there on.

    `pieces` are the blob up to `end`, without a gap, in order.
    """

    def __init__(self, kind: str, toc: bytes, end: int, tail: bytes) -> None:
        self.kind = kind
        self.end = end
        self.tail = tail
        self.pieces = pieces_of(kind, _entries(toc), end)


def pieces_of(kind: str, entries: list[Any], end: int) -> list[Piece]:
    """What the entries of a TOC say of a blob up to `end`. Raises InvalidContents."""
    try:
        return list(_pieces(kind, entries, end))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidContents("an entry lacks what it should have") from error


def _pieces(kind: str, entries: list[Any], end: int) -> Iterator[Piece]:
    start, about, whole, content = 0, [kind], {}, None
    for number, entry in enumerate(entries):
        if entry["type"] != "chunk":
            whole = entry
            about.append(repr([entry.get(field) for field in _HEADER_FIELDS]))
        offset = _number(entry, "offset")
        if not offset:
            continue
        if offset != start:
            yield _piece(start, offset, end, about, content)
            start, about = offset, [kind]
        digest = entry.get("chunkDigest") or whole["digest"]
        at, size = entry.get("chunkOffset", 0), entry.get("chunkSize") or whole["size"]
        about.append(f"{digest} {size} {whole['size']} {entry.get('innerOffset', 0)}")
        content = (whole.get("name"), at, size, digest) if "endOffset" in whole else None
        is_last = number + 1 == len(entries) or entries[number + 1]["type"] != "chunk"
        if is_last and (stop := _number(whole, "endOffset")):
            yield _piece(start, stop, end, about, content)
            content = None
            start, about = stop, [kind, f"padding {_number(whole, 'size') % tar.BLOCK}"]
    if start != end:
        yield _piece(start, end, end, [*about, "end"], content)


def _piece(start: int, stop: int, end: int, about: list[str], content: Any) -> Piece:
    import hashlib

    if not start < stop <= end:
        raise InvalidContents("its offsets are not in order")
    text = "\n".join(about).encode("utf-8", "surrogatepass")
    return start, stop, hashlib.blake2b(text, digest_size=16).digest(), content


def has_contents(annotations: Mapping[str, str]) -> bool:
    """Whether the descriptor of a layer promises a TOC."""
    return bool(chunked.checksum_of(annotations)) or ESTARGZ_DIGEST in annotations


def announced(annotations: Mapping[str, str], size: int, read: ReadAt) -> Contents | None:
    """The TOC that the descriptor of a blob of `size` bytes announces, verified; None when it announces none.

    Raises InvalidContents, and what `read` raises.
    """
    if digest := chunked.checksum_of(annotations):
        places = chunked.places_of(annotations)
        if places is None or not is_digest(digest):
            raise InvalidContents("its annotations are none")
        return _zstd(places, size, read, digest)
    if digest := annotations.get(ESTARGZ_DIGEST, ""):
        return _estargz(size, read, digest)
    return None


def inside(size: int, read: ReadAt) -> Contents | None:
    """The TOC of a blob that is here and whose digest was verified when it came; None when it has none."""
    if size <= chunked.FOOTER_BYTES:
        return None
    last = read(size - chunked.FOOTER_BYTES, chunked.FOOTER_BYTES)
    if (places := chunked.places_in(last)) is not None:
        return _zstd(places, size, read, None)
    if _estargz_offset(last[-_ESTARGZ_FOOTER:]) >= 0:
        return _estargz(size, read, None)
    return None


def _zstd(places: chunked.Places, size: int, read: ReadAt, digest: str | None) -> Contents:
    toc = places.toc
    end = toc.offset - chunked.SKIPPABLE_HEADER
    if end < 0 or toc.offset + toc.size > size or size - end > _MOST_TAIL_BYTES:
        raise InvalidContents("it does not fit into the blob")
    tail = read(end, size - end)
    packed = tail[chunked.SKIPPABLE_HEADER : chunked.SKIPPABLE_HEADER + toc.size]
    _verify(packed, digest)
    return Contents("zstd:chunked", _unzstd(packed), end, tail)


def _estargz(size: int, read: ReadAt, digest: str | None) -> Contents:
    if size <= _ESTARGZ_FOOTER:
        raise InvalidContents("the blob is too small")
    have = min(size, max(_GUESS, size // 256))
    tail = read(size - have, have)
    end = _estargz_offset(tail[-_ESTARGZ_FOOTER:])
    if not 0 < end < size - _ESTARGZ_FOOTER or size - end > _MOST_TAIL_BYTES:
        raise InvalidContents("it does not fit into the blob")
    missing = size - have - end
    tail = read(end, missing) + tail if missing > 0 else tail[-missing:]
    data = _estargz_index(tail)
    _verify(data, digest)
    return Contents("estargz", data, end, tail)


def _estargz_offset(footer: bytes) -> int:
    """Where the footer says that the TOC begins; -1 when it is none."""
    extra = footer[12:38]
    if footer[:3] != b"\x1f\x8b\x08" or extra[:4] != b"SG\x16\0" or extra[20:] != b"STARGZ":
        return -1
    try:
        return int(extra[4:20], 16)
    except ValueError:
        return -1


def _estargz_index(member: bytes) -> bytes:
    """The file in the tar archive in a gzip member."""
    try:
        plain = zlib.decompressobj(31).decompress(member, _MOST_TOC_BYTES)
    except zlib.error as error:
        raise InvalidContents(str(error)) from error
    chunks = [plain, b""]
    reader = tar.TarReader(lambda: chunks.pop(0) if chunks else b"")
    try:
        entry = reader.next_entry()
        if entry is None or entry.name != _ESTARGZ_NAME:
            raise InvalidContents("it has another name")
        return reader.take(entry.size)
    except tar.InvalidArchive as error:
        raise InvalidContents(error.why) from error


def _unzstd(packed: bytes) -> bytes:
    from storage import compression

    chunks, plain, size = [packed, b""], [], 0
    try:
        for chunk in compression.decompress("zstd", lambda: chunks.pop(0) if chunks else b""):
            plain.append(chunk)
            size += len(chunk)
            if size > _MOST_TOC_BYTES:
                raise InvalidContents("it is too large")
    except compression.InvalidStream as error:
        raise InvalidContents(error.why) from error
    return b"".join(plain)


def _verify(data: bytes, digest: str | None) -> None:
    from storage.blobs import digest_of

    if digest is not None and (
        not is_digest(digest) or digest_of(data, digest.partition(":")[0]) != digest
    ):
        raise InvalidContents("its digest is another than the manifest says")


def _entries(data: bytes) -> list[Any]:
    import json

    try:
        toc = json.loads(data)
        if toc["version"] != 1 or not isinstance(toc["entries"], list):
            raise InvalidContents("it is of an unknown version")
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise InvalidContents("it is no table of contents") from error
    entries: list[Any] = toc["entries"]
    return entries


def _number(entry: dict[str, Any], field: str) -> int:
    value = entry.get(field, 0)
    if type(value) is not int or value < 0:
        raise InvalidContents("an offset is no number")
    return value
