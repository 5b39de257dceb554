"""Layers with a table of contents: eStargz, by a small writer of our own, and zstd:chunked, by pod's.

The format of eStargz: containerd/stargz-snapshotter, docs/estargz.md.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from storage.chunked_write import write_chunked
from tests.support.layout import OCI_LAYER, Entry, Layout, layer_tar

TOC_DIGEST = "containerd.io/snapshot/stargz/toc.digest"
_KINDS = {"file": "reg", "directory": "dir", "symlink": "symlink", "hardlink": "hardlink"}


def add_chunked(
    layout: Layout, entries: Iterable[Entry], kind: str, level: int = 3
) -> tuple[dict[str, Any], str]:
    """Store a layer as "zstd:chunked" or "estargz"; its descriptor and its diff id."""
    if kind == "estargz":
        blob, plain, annotations = estargz(entries)
        media_type = f"{OCI_LAYER}+gzip"
    else:
        plain = layer_tar(entries)
        parts: list[bytes] = []
        annotations = write_chunked(iter([plain]), parts.append, level=level)
        blob, media_type = b"".join(parts), f"{OCI_LAYER}+zstd"
    descriptor = {
        "mediaType": media_type,
        "digest": layout.add(blob),
        "size": len(blob),
        "annotations": annotations,
    }
    return descriptor, digest_of(plain)


def add_chunked_file(layout: Layout, path: str) -> tuple[dict[str, Any], str]:
    """As add_chunked, "zstd:chunked", of a layer in the file `path`, which goes away."""
    plain, packed, blob = hashlib.sha256(), hashlib.sha256(), f"{path}.zst"

    def chunks() -> Iterator[bytes]:
        with open(path, "rb") as source:
            while chunk := source.read(1 << 20):
                plain.update(chunk)
                yield chunk

    def write(data: bytes) -> None:
        packed.update(data)
        file.write(data)

    with open(blob, "wb") as file:
        annotations = write_chunked(chunks(), write)
    os.unlink(path)
    digest = f"sha256:{packed.hexdigest()}"
    os.rename(blob, layout.blob_path(digest))
    descriptor = {
        "mediaType": f"{OCI_LAYER}+zstd",
        "digest": digest,
        "size": os.path.getsize(layout.blob_path(digest)),
        "annotations": annotations,
    }
    return descriptor, f"sha256:{plain.hexdigest()}"


def estargz(
    entries: Iterable[Entry], chunk: int = 256 << 10
) -> tuple[bytes, bytes, dict[str, str]]:
    """The blob, what it unpacks to, and the annotations of its descriptor."""
    blob, pending, plain, toc = bytearray(), b"", b"", []
    for entry in entries:
        pending += layer_header(entry)
        fields: dict[str, Any] = {
            "name": entry.name,
            "type": _KINDS[entry.kind],
            "modtime": "2023-11-14T22:13:20Z",
            "mode": entry.header().mode,
            "uid": entry.uid,
            "gid": entry.gid,
        }
        if entry.target:
            fields["linkName"] = entry.target
        if entry.content:
            fields.update(size=len(entry.content), digest=digest_of(entry.content))
        toc.append(fields)
        for at in range(0, len(entry.content), chunk):
            blob += gzip.compress(pending, 6, mtime=0)
            plain += pending
            pending = entry.content[at : at + chunk]
            if at:
                fields = {"name": entry.name, "type": "chunk", "chunkOffset": at}
                toc.append(fields)
            is_last = at + chunk >= len(entry.content)
            size = 0 if is_last else len(pending)
            fields.update(offset=len(blob), chunkSize=size, chunkDigest=digest_of(pending))
        pending += bytes(-len(entry.content) % 512)
    blob += gzip.compress(pending, 6, mtime=0)
    plain += pending
    index = json.dumps({"version": 1, "entries": toc}).encode()
    offset = len(blob)
    last = layer_tar([Entry("stargz.index.json", index)])
    blob += gzip.compress(last, 6, mtime=0)
    blob += footer(offset)
    return bytes(blob), plain + last, {TOC_DIGEST: digest_of(index)}


def footer(offset: int) -> bytes:
    """An empty gzip member whose extra field has the offset: 51 bytes."""
    extra = b"SG\x16\0" + b"%016xSTARGZ" % offset
    head = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff" + len(extra).to_bytes(2, "little")
    return head + extra + b"\x01\0\0\xff\xff" + bytes(8)


def layer_header(entry: Entry) -> bytes:
    """The headers of an entry without its content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry.header(), io.BytesIO(entry.content))
        end = archive.offset
    padded = len(entry.content) + -len(entry.content) % 512
    return buffer.getvalue()[: end - padded]


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


assert len(footer(0)) == 51 and zlib.decompress(footer(7), 31) == b""
