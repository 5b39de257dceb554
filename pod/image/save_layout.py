"""Saving as an OCI image layout, in a directory or an archive, and as Docker's `dir:`; see save.py."""

from __future__ import annotations

import json
import os

from pod.base import files
from pod.image import docker_directory, media_types
from pod.image.manifest import Manifest, manifest_of
from pod.image.oci_layout import FULL_NAME, INDEX, blob_name
from pod.image.packing import AS_IT_IS, NONE, OCI, pack, packed_layer, rewritten
from pod.image.saving import OCI_DIR, CannotSave, DamagedBlob, replace_file, to_json
from pod.spec.digest import algorithm_of, hex_of
from storage.blobs import digest_of, digest_of_part
from storage.images import REF_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from typing import Any, Protocol

    from pod.image.manifest import Descriptor
    from pod.image.packing import Packing
    from pod.image.progress import Progress
    from pod.image.saving import SavedImage
    from pod.image.tarout import ArchiveWriter
    from storage.store import Store

    class Target(Protocol):
        """An archive or a directory."""

        def blob(self, name: str, fd: int) -> None:
            """The whole of an open file."""

        def document(self, name: str, data: bytes) -> None:
            """A few bytes; what was there under the name is replaced."""


LAYOUT = "oci-layout"
LAYOUT_TEXT = b'{"imageLayoutVersion": "1.0.0"}'


class TarTarget:
    """Blobs and documents as members of an archive."""

    def __init__(self, archive: ArchiveWriter) -> None:
        self._archive = archive
        # Without entries for them, some readers give implied directories to root, and fail as a user.
        for name in ("blobs", "blobs/sha256"):
            archive.add_directory(name)

    def blob(self, name: str, fd: int) -> None:
        if not self._archive.has(name):  # an image may have the same layer twice
            self._archive.add_file(name, fd)

    def document(self, name: str, data: bytes) -> None:
        self._archive.add(name, data)


class DirectoryTarget:
    """Blobs and documents as files of a directory."""

    def __init__(self, path: str) -> None:
        self._path = path

    def blob(self, name: str, fd: int) -> None:
        target = self._target(name)
        if not os.path.exists(target):
            replace_file(target, lambda out: _copy(fd, out))

    def document(self, name: str, data: bytes) -> None:
        replace_file(self._target(name), lambda out: files.write_all(out, data))

    def _target(self, name: str) -> str:
        target = f"{self._path}/{name}"
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
        except OSError as error:
            raise CannotSave(self._path, error.strerror or "it cannot be written") from error
        return target


def _copy(source: int, target: int) -> None:
    offset, size = 0, os.fstat(source).st_size
    while offset < size and (moved := os.sendfile(target, source, offset, size - offset)):
        offset += moved


def save_directory(
    store: Store, saved: SavedImage, path: str, progress: Progress, kind: str, packing: Packing
) -> str:
    """One image into the directory `path`; `kind` is "oci-dir" or "docker-dir". The digest of its manifest."""
    try:
        os.makedirs(path, exist_ok=True)
        present = set(os.listdir(path))
    except OSError as error:
        raise CannotSave(path, error.strerror or "it cannot be written") from error
    target = DirectoryTarget(path)
    if kind == OCI_DIR:
        if present and not present.intersection((INDEX, LAYOUT)):
            raise CannotSave(path, "the directory is not empty, and no OCI image layout")
        # The list comes last, so a command that was killed has left a layout without one.
        entries = known_entries(path) if INDEX in present else []
        return write_oci(store, saved, target, progress, packing, entries)
    check_replaceable(path, present)
    digest, names = _write_docker(store, saved, target, progress, packing)
    remove_replaced(path, present.difference(names))
    return digest


def check_replaceable(path: str, present: Collection[str]) -> None:
    """That a directory with these files is empty, or a `dir:` of an image or a list. Raises CannotSave."""
    if present and docker_directory.VERSION not in present:
        raise CannotSave(path, "the directory is not empty, and no directory of an image")


def remove_replaced(path: str, names: Iterable[str]) -> None:
    """Of these files, those of the image or the list that was in a `dir:`."""
    for name in names:
        digits, _, kind = name.partition(".")
        is_blob = len(digits) == 64 and (kind in ("", "manifest.json") or "signature-" in kind)
        if is_blob or name.startswith("signature-"):
            os.unlink(f"{path}/{name}")


def known_entries(path: str) -> list[dict[str, Any]]:
    """The images that a layout has already, and keeps."""
    try:
        entries = json.loads(files.read_bytes(f"{path}/{INDEX}"))["manifests"]
        return [entry for entry in entries if isinstance(entry, dict)]
    except (ValueError, KeyError, TypeError) as error:
        raise CannotSave(path, f"its '{INDEX}' is damaged") from error


def write_oci(
    store: Store,
    saved: SavedImage,
    target: Target,
    progress: Progress,
    packing: Packing = AS_IT_IS,
    present: Sequence[dict[str, Any]] = (),
) -> str:
    """One image as an OCI layout, beside the entries that are `present` in it; the digest of its manifest."""
    image = saved.image
    parsed, data = manifest_of(store, image)
    target.document(LAYOUT, LAYOUT_TEXT)
    layers = _write_layers(store, saved, parsed, target, progress, packing, OCI, blob_name)
    if parsed.media_type != media_types.OCI_MANIFEST or layers != parsed.layers:
        data, _ = rewritten(parsed, layers, OCI)
    progress.message(f"Copying config {image.id}")
    target.document(blob_name(image.id), store.blobs.read(image.id))
    progress.message("Writing manifest to image destination")
    digest = digest_of(data)
    target.document(blob_name(digest), data)
    names = saved.tagged_names
    entries = entries_of(media_types.OCI_MANIFEST, digest, len(data), names)
    kept = [
        other for other in present if layout_entry_name(other) not in names and other not in entries
    ]
    write_index(target, [*kept, *entries])
    return digest


def entries_of(
    media_type: str, digest: str, size: int, names: Sequence[str], *, for_docker: bool = False
) -> list[dict[str, Any]]:
    """What the list of a layout says of an image: an entry for each name, or one without any.

    Docker's daemon reads full names from an annotation of containerd's, and takes the usual one for a tag.
    """
    entry = {"mediaType": media_type, "digest": digest, "size": size}
    keys = (REF_NAME, FULL_NAME) if for_docker else (REF_NAME,)
    return [{**entry, "annotations": dict.fromkeys(keys, name)} for name in names] or [entry]


def write_index(target: Target, entries: Sequence[dict[str, Any]]) -> None:
    """The list of a layout, which comes last."""
    index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": list(entries)}
    target.document(INDEX, to_json(index))


def layout_entry_name(entry: dict[str, Any]) -> Any:
    """The name that a layout gives to an entry, if any."""
    annotations = entry.get("annotations")
    return annotations.get(REF_NAME) if isinstance(annotations, dict) else None


def _write_docker(
    store: Store, saved: SavedImage, target: Target, progress: Progress, packing: Packing
) -> tuple[str, set[str]]:
    """The digest of the manifest, and the names of all blobs."""
    image = saved.image
    parsed, data = manifest_of(store, image)
    family = packing.family_for(parsed)
    target.document(docker_directory.VERSION, docker_directory.VERSION_TEXT)
    layers = _write_layers(store, saved, parsed, target, progress, packing, family, hex_of)
    progress.message(f"Copying config {image.id}")
    target.document(hex_of(image.id), store.blobs.read(image.id))
    changed, media_type = rewritten(parsed, layers, family)
    if layers != parsed.layers or parsed.media_type != media_type:
        data = changed
    progress.message("Writing manifest to image destination")
    target.document(docker_directory.MANIFEST, data)
    return digest_of(data), {hex_of(image.id), *(hex_of(layer.digest) for layer in layers)}


def _write_layers(
    store: Store,
    saved: SavedImage,
    parsed: Manifest,
    target: Target,
    progress: Progress,
    packing: Packing,
    family: str,
    name_of: Callable[[str], str],
) -> tuple[Descriptor, ...]:
    """Each layer once, as it is or compressed anew; what the manifest says of them then."""
    written: dict[str, Descriptor] = {}
    for layer, diff_id in zip(parsed.layers, saved.image.diff_ids, strict=True):
        if layer.digest in written:
            continue
        compression = packing.compression_for(layer, family)
        if not compression:
            copy_blob(store, target, layer.digest, progress, name_of)
            written[layer.digest] = layer
            continue
        progress.layer_known(layer.digest, layer.size)
        packed, fd = pack(store, layer.digest, compression, packing.level_of(compression))
        try:
            if compression == NONE and packed.digest != diff_id:
                raise DamagedBlob(layer.digest)
            target.blob(name_of(packed.digest), fd)
        finally:
            os.close(fd)
        progress.advance(layer.digest, layer.size)
        progress.done(layer.digest)
        written[layer.digest] = packed_layer(layer, packed, compression, family)
    return tuple(written[layer.digest] for layer in parsed.layers)


def copy_blob(
    store: Store,
    target: Target,
    digest: str,
    progress: Progress,
    name_of: Callable[[str], str] = blob_name,
) -> None:
    """A blob as it is, and what there is to be told of it. Raises BlobNotFound, DamagedBlob."""
    fd = store.blobs.open(digest)
    try:
        size = os.fstat(fd).st_size
        progress.layer_known(digest, size)
        if digest_of_part(fd, 0, size, algorithm_of(digest)) != digest:
            raise DamagedBlob(digest)
        target.blob(name_of(digest), fd)
        progress.advance(digest, size)
        progress.done(digest)
    finally:
        os.close(fd)
