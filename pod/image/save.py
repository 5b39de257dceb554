"""Saving: from the store into archives and directories that other engines read.

Blobs go out as they are, except where a format has no name for a compression (zstd in docker-dir). The digest of the
configuration, which is the id of the image, never changes.

A docker-archive is what Docker 25 and later write: its listing beside an OCI layout of the same blobs, so that the
manifest, and its digest, comes along. Layers may be compressed in it: all readers look at their first bytes.
"""

from __future__ import annotations

from pod.image import save_layout
from pod.image.docker_archive import LISTING
from pod.image.manifest import Descriptor, manifest_of
from pod.image.media_types import DOCKER_LAYER_GZIP
from pod.image.oci_layout import blob_name
from pod.image.packing import AS_IT_IS, DOCKER, rewritten
from pod.image.saving import (
    DOCKER_ARCHIVE,
    DOCKER_DIR,
    OCI_DIR,
    CannotSave,
    OneImageOnly,
    SavedImage,
    to_json,
    write_file,
)
from pod.image.tarout import ArchiveWriter
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
    it is empty or has images of this kind. Several images go into docker-archive only, whose layers stay as they are;
    `packing` is about the other formats. The digest of the manifest that was written, or in case of docker-archive that
    readers make of it who know no layout.

    Raises CannotSave, OneImageOnly, BlobNotFound, DamagedBlob; OSError for an open descriptor.
    """
    if len(images) > 1 and kind != DOCKER_ARCHIVE:
        raise OneImageOnly(kind, len(images))
    if isinstance(target, int) and kind in (OCI_DIR, DOCKER_DIR):
        raise CannotSave("standard output", f"the format '{kind}' is a directory")
    with store.hold(it for saved in images for it in saved.image.blob_digests):
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
    parsed, _ = manifest_of(store, image)
    layers = [
        Descriptor(DOCKER_LAYER_GZIP, diff_id, store.layers.record(diff_id).size)
        for diff_id in image.diff_ids
    ]
    return digest_of(rewritten(parsed, layers, DOCKER)[0])


def _write_docker(
    store: Store, images: Sequence[SavedImage], archive: ArchiveWriter, progress: Progress
) -> None:
    target = save_layout.TarTarget(archive)
    target.document(save_layout.LAYOUT, save_layout.LAYOUT_TEXT)
    listing: dict[str, dict[str, Any]] = {}
    repositories: dict[str, dict[str, str]] = {}
    entries: list[dict[str, Any]] = []
    for saved in images:
        image = saved.image
        for layer in image.layers:
            if not archive.has(blob_name(layer.digest)):
                save_layout.copy_blob(store, target, layer.digest, progress)
        for digest, what in ((image.id, "config"), (image.digest, "manifest")):
            if not archive.has(blob_name(digest)):
                progress.message(f"Copying {what} {digest}")
                archive.add(blob_name(digest), store.blobs.read(digest))
        for name in saved.tagged_names:
            parsed = references.parse(name)
            top = image.diff_ids[-1] if image.diff_ids else image.id
            repositories.setdefault(parsed.name, {})[parsed.tag] = hex_of(top)
        entries += save_layout.entries_of(
            image.media_type,
            image.digest,
            image.manifest_size,
            saved.tagged_names,
            for_docker=True,
        )
        entry = listing.setdefault(
            image.digest,
            {
                "Config": blob_name(image.id),
                "RepoTags": [],
                "Layers": [blob_name(layer.digest) for layer in image.layers],
            },
        )
        entry["RepoTags"] = list(dict.fromkeys([*entry["RepoTags"], *saved.tagged_names]))
    progress.message("Writing manifest to image destination")
    target.document("repositories", to_json(repositories))
    target.document(LISTING, to_json(list(listing.values())))
    save_layout.write_index(target, entries)
