"""Changing the index of images: entries for manifests and lists, and the names that they have.

Everything here is called under the store's lock. Commands that only look at images do not load it.
"""

from __future__ import annotations

import errno
import os
import time

from pod.base import faults, files
from pod.base.errors import PodError
from storage.blobs import BlobNotFound
from storage.directories import make_private
from storage.images import INDEX_DIGEST, LIST_TYPES, REF_NAME, ImageIncomplete, is_list, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from storage.facts import KnownFacts
    from storage.images import Descriptor, Descriptors, ImageStore

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}\n'
_INDEX = LIST_TYPES[0]


def add(
    images: ImageStore, descriptor: Descriptor, name: str | None, index_digest: str | None
) -> None:
    """Under the lock: an entry for the manifest, and for the name if there is one."""
    image_id = _require_complete(images, descriptor)
    images.note_use(image_id, time.time_ns())
    entries = images.entries()
    digest, entry = descriptor["digest"], _bare(descriptor)
    if name is None:
        if any(other["digest"] == digest for other in entries):
            return
    else:
        release_name(entries, name)
        entry["annotations"] = {REF_NAME: name}
        if index_digest is not None:
            entry["annotations"][INDEX_DIGEST] = index_digest
        # A name replaces the nameless entry of the same manifest.
        entries = [
            other for other in entries if other["digest"] != digest or name_of(other) is not None
        ]
    write(images, [*entries, entry])


def write(images: ImageStore, entries: Descriptors) -> None:
    """Replace the index, under the store's lock."""
    entries = _without_superseded(images, entries)
    make_private(f"{images.directory}/blobs")
    layout = f"{images.directory}/oci-layout"
    if not os.path.exists(layout):
        files.write_atomic(layout, _LAYOUT, mode=0o644)
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}
    faults.step("image: ready")
    path = f"{images.directory}/index.json"
    try:
        files.write_json(path, index, mode=0o644)
    except OSError as error:
        # Without space, no image could be removed to make space. The facts can be read again, and take more.
        if error.errno not in {errno.ENOSPC, errno.EDQUOT} or not images.facts.forget():
            raise
        files.write_json(path, index, mode=0o644)
    faults.step("image: index")


def release_name(entries: Descriptors, name: str) -> bool:
    """Remove the entry of a name; an image or list that has no other entry gets a nameless one in its place."""
    for position, entry in enumerate(entries):
        if name_of(entry) != name:
            continue
        del entries[position]
        if is_list(entry):
            from storage.lists import nameless

            entries[position:position] = nameless(entry, entries)
        elif all(is_list(other) or other["digest"] != entry["digest"] for other in entries):
            entries.insert(position, _bare(entry))
        return True
    return False


def _without_superseded(images: ImageStore, entries: Descriptors) -> Descriptors:
    """The entries without the nameless ones of images that have another entry.

    An image whose layers are compressed in another way, or that was loaded after it was pulled, has another
    manifest; nobody wants to see the old one as an image of its own.
    """
    if all(name_of(entry) is not None or is_list(entry) for entry in entries):
        return entries
    known = images.facts.load()
    ids = [None if is_list(it) else _id_of(images.facts, it["digest"], known) for it in entries]
    kept_ids = {
        image_id for entry, image_id in zip(entries, ids, strict=True) if name_of(entry) is not None
    }
    kept = []
    for entry, image_id in zip(entries, ids, strict=True):
        if name_of(entry) is None and image_id is not None:
            if image_id in kept_ids:
                continue
            kept_ids.add(image_id)
        kept.append(entry)
    return kept


def _id_of(facts: KnownFacts, digest: str, known: dict[str, dict[str, Any]]) -> str | None:
    """The id of the image that a manifest describes; None for a damaged one."""
    try:
        found = known.get(digest) or facts.read(digest)
    except PodError:
        return None
    return str(found["id"])


def _require_complete(images: ImageStore, descriptor: Descriptor) -> str:
    """That nobody has removed a part since it was found or fetched; the id of the image."""
    digest = descriptor["digest"]
    if not images.blobs.has(digest):
        raise ImageIncomplete(digest, [f"blob {digest}"])
    try:
        facts = images.facts.read(digest)
    except BlobNotFound as error:
        raise ImageIncomplete(digest, [f"blob {error.digest}"]) from error
    missing = [f"blob {layer[0]}" for layer in facts["layers"] if not images.blobs.has(layer[0])]
    if not facts["complete"]:
        missing += [f"layer {diff}" for diff in facts["diff_ids"] if not images.layers.has(diff)]
    if missing:
        raise ImageIncomplete(digest, missing)
    return str(facts["id"])


def _bare(descriptor: Descriptor) -> Descriptor:
    """A descriptor without what belongs to one name of it."""
    return {key: value for key, value in descriptor.items() if key != "annotations"}
