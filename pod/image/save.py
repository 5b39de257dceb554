"""Saving: from the store into archives and directories that other engines read.

Blobs go out as they are, except where a format wants plain layers (docker-archive) or has no name for a compression
(zstd in docker-dir). The digest of the configuration, which is the id of the image, never changes.
"""

from __future__ import annotations

import os

from pod.base import files
from pod.image import save_layout
from pod.image.docker_archive import LISTING
from pod.image.manifest import DOCKER_LAYER_GZIP, Descriptor
from pod.image.packing import AS_IT_IS, DOCKER, rewritten
from pod.image.parts import nameless_file
from pod.image.saving import (
    DOCKER_ARCHIVE,
    DOCKER_DIR,
    OCI_DIR,
    CannotSave,
    DamagedBlob,
    OneImageOnly,
    SavedImage,
    plain_chunks,
    to_json,
    write_file,
)
from pod.image.tarout import ArchiveWriter, WrongLength
from pod.spec import reference as references
from pod.spec.digest import hex_of
from storage.blobs import digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.image.packing import Packing
    from pod.image.progress import Progress
    from storage.images import ImageRecord
    from storage.store import Store


def save(
    store: Store,
    images: Sequence[SavedImage],
    target: str | int,
    progress: Progress,
    *,
    kind: str = DOCKER_ARCHIVE,
    packing: Packing = AS_IT_IS,
) -> str:
    """Write images to the path `target`, or, for the archive formats, to an open descriptor, which stays open.

    `kind` is one of `saving.FORMATS`. A file appears complete or not at all; a directory is made, and may be there when
    it is empty or has images of this kind. Several images go into docker-archive only, whose layers are never
    compressed; `packing` is about the other formats. The digest of the manifest that was written, or in case of
    docker-archive that its reader will make of it.

    Raises CannotSave, OneImageOnly, BlobNotFound, DamagedBlob; OSError for an open descriptor.
    """
    if len(images) > 1 and kind != DOCKER_ARCHIVE:
        raise OneImageOnly(kind, len(images))
    if isinstance(target, int) and kind in (OCI_DIR, DOCKER_DIR):
        raise CannotSave("standard output", f"the format '{kind}' is a directory")
    with store.hold([layer.digest for saved in images for layer in saved.image.layers]):
        progress.begin()
        try:
            if isinstance(target, str) and kind in (OCI_DIR, DOCKER_DIR):
                return save_layout.save_directory(store, images[0], target, progress, kind, packing)
            return _save_archive(store, images, target, progress, kind, packing)
        finally:
            progress.finish()


def _save_archive(
    store: Store,
    images: Sequence[SavedImage],
    target: str | int,
    progress: Progress,
    kind: str,
    packing: Packing,
) -> str:
    digest = ""

    def write(fd: int) -> None:
        nonlocal digest
        archive = ArchiveWriter(fd)
        if kind == DOCKER_ARCHIVE:
            _write_docker(store, images, archive, progress)
            digest = _digest_of_plain(store, images[-1].image)
        else:
            members = save_layout.TarTarget(archive)
            digest = save_layout.write_oci(store, images[0], members, progress, packing)
        archive.close()

    if isinstance(target, int):
        write(target)
    else:
        write_file(target, write)
    return digest


def _digest_of_plain(store: Store, image: ImageRecord) -> str:
    """The digest of the manifest that readers make of the archive: they give all layers Docker's usual type."""
    parsed, _ = save_layout.manifest_of(store, image)
    layers = [
        Descriptor(DOCKER_LAYER_GZIP, diff_id, store.layers.record(diff_id).size)
        for diff_id in image.diff_ids
    ]
    return digest_of(rewritten(parsed, layers, DOCKER)[0])


def _write_docker(
    store: Store, images: Sequence[SavedImage], archive: ArchiveWriter, progress: Progress
) -> None:
    listing: dict[str, dict[str, Any]] = {}
    repositories: dict[str, dict[str, str]] = {}
    for saved in images:
        image, names = saved.image, []
        for layer, diff_id in zip(image.layers, image.diff_ids, strict=True):
            name = f"{hex_of(diff_id)}.tar"
            if not archive.has(name):
                progress.layer_known(layer.digest, layer.size)
                _add_plain_layer(store, archive, name, layer.digest, diff_id)
                progress.advance(layer.digest, layer.size)
                progress.done(layer.digest)
            names.append(name)
        config_name = f"{hex_of(image.id)}.json"
        if not archive.has(config_name):
            progress.message(f"Copying config {image.id}")
            archive.add(config_name, store.blobs.read(image.id))
        for name in saved.tagged_names:
            parsed = references.parse(name)
            top = image.diff_ids[-1] if image.diff_ids else image.id
            repositories.setdefault(parsed.name, {})[parsed.tag] = hex_of(top)
        entry = listing.setdefault(
            image.id, {"Config": config_name, "RepoTags": [], "Layers": names}
        )
        entry["RepoTags"] = list(dict.fromkeys([*entry["RepoTags"], *saved.tagged_names]))
    progress.message("Writing manifest to image destination")
    archive.add("repositories", to_json(repositories))
    archive.add(LISTING, to_json(list(listing.values())))


def _add_plain_layer(
    store: Store, archive: ArchiveWriter, name: str, digest: str, diff_id: str
) -> None:
    """The layer without compression. Its size comes first in a tar archive, and the layer's record has it."""
    try:
        if digest == diff_id:
            _add_file(archive, name, store.blobs.open(digest))
        elif store.layers.has(diff_id):
            size = store.layers.record(diff_id).size
            archive.add_stream(name, size, plain_chunks(store, digest))
        else:
            fd = nameless_file(f"{store.root}/staging")
            for chunk in plain_chunks(store, digest):
                files.write_all(fd, chunk)
            _add_file(archive, name, fd)
    except WrongLength as error:
        raise DamagedBlob(digest) from error


def _add_file(archive: ArchiveWriter, name: str, fd: int) -> None:
    try:
        archive.add_file(name, fd)
    finally:
        os.close(fd)
