"""Artifacts: manifests whose layers are files, made from files and written to files.

Source: OCI image specification, "Guidelines for Artifact Usage"; podman-artifact(1). Names of files come from whoever
made the artifact, and are taken for names in one directory or refused.
"""

from __future__ import annotations

import os

from pod.base import files
from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from pod.image import media_types
from pod.image.contents import read_contents
from pod.spec.digest import is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from pod.image.contents import Part
    from storage.blobs import BlobStore
    from storage.collect import Hold

    Document = dict[str, Any]

TITLE = "org.opencontainers.image.title"
CREATED = "org.opencontainers.image.created"
UNKNOWN_TYPE = "application/vnd.unknown.artifact.v1"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
_READ_BYTES = 1 << 20
_LONGEST_NAME = 255  # of a file, in bytes
# What files begin with, as Go's http.DetectContentType knows them, whose words podman uses.
_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"\x00asm", "application/wasm"),
    (b"<?xml", "text/xml; charset=utf-8"),
    (b"\xfe\xff", "text/plain; charset=utf-16be"),
    (b"\xff\xfe", "text/plain; charset=utf-16le"),
)
_NOT_IN_TEXT = frozenset((*range(9), 11, *range(14, 27), *range(28, 32)))


class FileUnreadable(PodError):
    """A file for an artifact cannot be read."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"the file '{path}' cannot be put into an artifact: {why}")


class HostileName(PodError):
    """A file of an artifact has a name that is none of a file in a directory."""

    def __init__(self, title: str, digest: str) -> None:
        super().__init__(
            f"the artifact has a file with the name '{title[:300]}', which is no name of a file in a directory",
            hint=f"choose it and a name of your own: pod artifact extract --digest {digest} ARTIFACT FILE",
        )


class TitleTaken(PodError):
    """An artifact would have two files with one name."""

    def __init__(self, title: str) -> None:
        super().__init__(f"the artifact would have two files with the name '{title}'")


class NoSuchFile(PodError):
    """An artifact does not have the file that was asked for."""

    def __init__(self, what: str, titles: Iterable[str]) -> None:
        known = ", ".join(titles) or "files without names"
        super().__init__(f"the artifact has no file '{what}', but {known}")


class ChooseOne(UsageError):
    """Several files, and one place for one."""

    def __init__(self, path: str, count: int) -> None:
        super().__init__(
            f"the artifact has {count} files, and '{path}' is no directory",
            hint="make the directory, or choose a file by --title or --digest",
        )


class Chosen(Record):
    """A file of an artifact, and the name it gets in a directory."""

    part: Part
    name: str


def add_file(
    blobs: BlobStore,
    path: str,
    media_type: str,
    annotations: Mapping[str, str],
    *,
    hold: Hold,
    titled: bool = True,
) -> Document:
    """Copy a file into the store; the descriptor of its layer. `media_type` "" is what its beginning looks like.

    Raises FileUnreadable.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise FileUnreadable(path, error.strerror or "it cannot be opened") from error
    try:
        with blobs.new() as partial:
            beginning = b""
            while chunk := os.read(fd, _READ_BYTES):
                beginning = beginning or chunk[:512]
                partial.write(chunk)
            size, digest = partial.offset, partial.commit(hold.add)
    except IsADirectoryError:
        raise FileUnreadable(path, "it is a directory") from None
    finally:
        os.close(fd)
    said = dict(annotations)
    if titled:
        said[TITLE] = os.path.basename(path)
    layer: Document = {
        "mediaType": media_type or type_of(beginning),
        "digest": digest,
        "size": size,
    }
    return {**layer, "annotations": said} if said else layer


def type_of(beginning: bytes) -> str:
    """The media type that a file seems to have, by its first bytes."""
    for magic, media_type in _MAGIC:
        if beginning.startswith(magic):
            return media_type
    if beginning[257:262] == b"ustar":
        return "application/x-tar"
    if beginning.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "text/html; charset=utf-8"
    if _NOT_IN_TEXT.isdisjoint(beginning):
        return "text/plain; charset=utf-8"
    return "application/octet-stream"


def new_manifest(
    blobs: BlobStore,
    layers: Sequence[Document],
    *,
    artifact_type: str = "",
    config: Document | None = None,
    annotations: Mapping[str, str] | None = None,
    subject: Document | None = None,
) -> Document:
    """The manifest of an artifact. The empty configuration is put into the store when there is no other."""
    if config is None:
        config = {"mediaType": EMPTY_TYPE, "digest": blobs.add(EMPTY), "size": len(EMPTY)}
    document: Document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "artifactType": artifact_type or UNKNOWN_TYPE,
        "config": config,
        "layers": _checked(layers),
    }
    if subject is not None:
        document["subject"] = subject
    if annotations:
        document["annotations"] = dict(annotations)
    return document


def with_layers(document: Document, layers: Sequence[Document]) -> Document:
    """An artifact with more files. Raises TitleTaken."""
    return {**document, "layers": _checked([*(document.get("layers") or []), *layers])}


def _checked(layers: Sequence[Document]) -> list[Document]:
    seen = set()
    for layer in layers:
        annotations = layer.get("annotations")
        title = annotations.get(TITLE) if isinstance(annotations, dict) else None
        if title is not None and title in seen:
            raise TitleTaken(title)
        seen.add(title)
    return list(layers)


def choose(data: bytes, shown: str, *, digest: str = "", title: str = "") -> list[Chosen]:
    """The files of an artifact, or the one with a digest or title. Raises NoSuchFile, InvalidImage."""
    layers = read_contents(data, f"manifest of artifact '{shown}'").layers
    if digest or title:
        wanted = [
            part
            for part in layers
            if (digest and part.digest == digest)
            or (title and part.annotations.get(TITLE) == title)
        ]
        if not wanted:
            raise NoSuchFile(
                digest or title, [it.annotations.get(TITLE, it.digest) for it in layers]
            )
        layers = tuple(wanted[:1])
    return [
        Chosen(part, part.annotations.get(TITLE) or part.digest.replace(":", "-"))
        for part in layers
    ]


def extract(blobs: BlobStore, chosen: Sequence[Chosen], path: str) -> list[str]:
    """Write files into the directory `path`, or the only one to the file `path`; where they are now.

    Names are checked before anything is written. What was there under a name is replaced; a link is not followed.
    Raises HostileName, TitleTaken, ChooseOne, BlobNotFound, OSError.
    """
    from pod.image.saving import write_file

    if not os.path.isdir(path):
        if len(chosen) != 1:
            raise ChooseOne(path, len(chosen))
        write_file(path, lambda out: _copy(blobs, chosen[0].part.digest, out))
        return [path]
    seen = set()
    for it in chosen:
        if not is_file_name(it.name):
            raise HostileName(it.name, it.part.digest)
        if it.name in seen:
            raise TitleTaken(it.name)
        seen.add(it.name)
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for it in chosen:
            _write_beneath(blobs, it, directory)
    finally:
        os.close(directory)
    return [os.path.join(path, it.name) for it in chosen]


def is_file_name(name: str) -> bool:
    """Whether it names a file in a directory, and nothing else."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return False
    try:
        return len(os.fsencode(name)) <= _LONGEST_NAME
    except UnicodeEncodeError:  # half of a pair, which JSON can spell
        return False


def _write_beneath(blobs: BlobStore, chosen: Chosen, directory: int) -> None:
    temporary = f".{os.urandom(8).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o666, dir_fd=directory)
    try:
        try:
            _copy(blobs, chosen.part.digest, fd)
        finally:
            os.close(fd)
        os.rename(temporary, chosen.name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(temporary, dir_fd=directory)
        raise


def _copy(blobs: BlobStore, digest: str, out: int) -> None:
    fd = blobs.open(digest)
    try:
        while chunk := os.read(fd, _READ_BYTES):
            files.write_all(out, chunk)
    finally:
        os.close(fd)


def check_digest(text: str) -> str:
    """The digest of --digest, which may be hex digits alone. Raises UsageError."""
    full = text if ":" in text else f"sha256:{text}"
    if not is_digest(full):
        raise UsageError(f"invalid argument '{text}' for '--digest': it is no digest")
    return full
