"""Lists of images with their images as files: an OCI image layout, in a directory or an archive, and `dir:`."""

from __future__ import annotations

import os

from pod.base.records import Record
from pod.image import docker_directory
from pod.image.contents import read_contents
from pod.image.media_types import OCI_INDEX
from pod.image.oci_layout import INDEX, blob_name
from pod.image.save_layout import (
    DirectoryTarget,
    TarTarget,
    check_replaceable,
    known_entries,
    layout_entry_name,
    remove_replaced,
)
from pod.image.saving import CannotSave, to_json, write_file
from pod.image.tarout import ArchiveWriter
from pod.image.upload import Content
from pod.spec.digest import hex_of
from storage.blobs import digest_of
from storage.images import REF_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pod.image.contents import Contents
    from pod.image.progress import Progress
    from pod.image.save_layout import Target
    from storage.store import Store

_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'


class Document(Record):
    """A list, or something that it lists: its bytes, and what they refer to."""

    data: bytes
    digest: str
    media_type: str
    contents: Contents
    blobs: tuple[Content, ...]


def save_layout(documents: Sequence[Document], path: str, tag: str, progress: Progress) -> None:
    """Into the directory `path`, an OCI image layout that may have others already; `tag` names the list there.

    `documents` end with the list, and each comes after what it refers to. Raises CannotSave.
    """
    present = _listed(path)
    if present and INDEX not in present:
        raise CannotSave(path, "the directory is not empty, and no OCI image layout")
    _write_layout(
        documents, DirectoryTarget(path), tag, progress, known_entries(path) if present else []
    )


def save_archive(
    documents: Sequence[Document], target: str | int, tag: str, progress: Progress
) -> None:
    """The same, into an archive of such a layout: a file, or an open descriptor. Raises CannotSave."""

    def write(fd: int) -> None:
        archive = ArchiveWriter(fd)
        _write_layout(documents, TarTarget(archive), tag, progress, [])
        archive.close()

    if isinstance(target, int):
        write(target)
    else:
        write_file(target, write)


def document_here(store: Store, digest: str) -> Document:
    """The manifest of an image that is here, with all that it refers to."""
    data = store.blobs.read(digest)
    contents = read_contents(data, f"manifest '{digest}'")

    def opener(part: str) -> Callable[[], int]:
        return lambda: store.blobs.open(part)

    blobs = tuple(Content(part.digest, part.size, opener(part.digest)) for part in contents.blobs)
    return Document(data, digest, contents.media_type, contents, blobs)


def document_of_list(data: bytes) -> Document:
    """A list of images that come before it."""
    contents = read_contents(data, "the list")
    return Document(data, digest_of(data), contents.media_type, contents, ())


def save_directory(documents: Sequence[Document], path: str, progress: Progress) -> None:
    """As `dir:`, into the directory `path`, where an image or a list is replaced. Raises CannotSave."""
    present = set(_listed(path))
    check_replaceable(path, present)
    target = DirectoryTarget(path)
    target.document(docker_directory.VERSION, docker_directory.VERSION_TEXT)
    for document in documents[:-1]:
        for content in document.blobs:
            _copy(target, hex_of(content.digest), content, progress)
            present.discard(hex_of(content.digest))
        # The name that containers/image gives to the manifests of a list.
        name = f"{hex_of(document.digest)}.manifest.json"
        target.document(name, document.data)
        present.discard(name)
    progress.message("Writing manifest list to image destination")
    target.document(docker_directory.MANIFEST, documents[-1].data)
    remove_replaced(path, present)


def _write_layout(
    documents: Sequence[Document],
    target: Target,
    tag: str,
    progress: Progress,
    present: Sequence[dict[str, Any]],
) -> None:
    target.document("oci-layout", _LAYOUT)
    for document in documents:
        for content in document.blobs:
            _copy(target, blob_name(content.digest), content, progress)
        target.document(blob_name(document.digest), document.data)
    progress.message("Writing manifest list to image destination")
    top = documents[-1]
    entry: dict[str, Any] = {
        "mediaType": top.media_type,
        "digest": top.digest,
        "size": len(top.data),
    }
    if tag:
        entry["annotations"] = {REF_NAME: tag}
    kept = [it for it in present if it != entry and (not tag or layout_entry_name(it) != tag)]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*kept, entry]}
    target.document(INDEX, to_json(index))


def _copy(target: Target, name: str, content: Content, progress: Progress) -> None:
    progress.layer_known(content.digest, content.size)
    fd = content.open()
    try:
        target.blob(name, fd)
    finally:
        os.close(fd)
    progress.advance(content.digest, content.size)
    progress.done(content.digest)


def _listed(path: str) -> list[str]:
    try:
        os.makedirs(path, exist_ok=True)
        return os.listdir(path)
    except OSError as error:
        raise CannotSave(path, error.strerror or "it cannot be written") from error
