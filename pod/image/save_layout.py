"""Saving as an OCI image layout, in a directory or an archive, and as Docker's `dir:`; see save.py."""

from __future__ import annotations

import json
import os

from pod.base import files
from pod.image import docker_directory, manifest
from pod.image.manifest import Manifest, parse_manifest
from pod.image.oci_layout import INDEX, blob_name
from pod.image.parts import nameless_file
from pod.image.saving import OCI_DIR, CannotSave, plain_chunks, replace_file, to_json
from pod.spec.digest import hex_of
from storage.blobs import digest_of
from storage.images import REF_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    from pod.image.progress import Progress
    from pod.image.saving import SavedImage
    from pod.image.tarout import ArchiveWriter
    from storage.images import ImageRecord
    from storage.store import Store

    class Target(Protocol):
        """An archive or a directory."""

        def blob(self, name: str, fd: int) -> None:
            """The whole of an open file."""

        def document(self, name: str, data: bytes) -> None:
            """A few bytes; what was there under the name is replaced."""


_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'


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
    store: Store,
    saved: SavedImage,
    path: str,
    progress: Progress,
    kind: str,
    *,
    compress: bool = False,
) -> None:
    """One image into the directory `path`; `kind` is "oci-dir", or "docker-dir", whose layers can be compressed."""
    try:
        os.makedirs(path, exist_ok=True)
        present = os.listdir(path)
    except OSError as error:
        raise CannotSave(path, error.strerror or "it cannot be written") from error
    target = DirectoryTarget(path)
    if kind == OCI_DIR:
        if present and INDEX not in present:
            raise CannotSave(path, "the directory is not empty, and no OCI image layout")
        write_oci(store, saved, target, progress, _known_entries(path) if present else [])
    else:
        if present:
            raise CannotSave(path, "the directory is not empty")
        _write_docker(store, saved, target, progress, compress=compress)


def _known_entries(path: str) -> list[dict[str, Any]]:
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
    present: Sequence[dict[str, Any]] = (),
) -> None:
    """One image as an OCI layout, beside the entries that are `present` in it."""
    image = saved.image
    parsed, data = _manifest_of(store, image)
    if parsed.media_type != manifest.OCI_MANIFEST:
        data = to_json(_as_oci(parsed))
    target.document("oci-layout", _LAYOUT)
    for digest in dict.fromkeys(layer.digest for layer in parsed.layers):
        _copy_blob(store, target, blob_name(digest), digest, progress)
    progress.message(f"Copying config {image.id}")
    target.document(blob_name(image.id), store.blobs.read(image.id))
    progress.message("Writing manifest to image destination")
    digest = digest_of(data)
    target.document(blob_name(digest), data)
    entry = {"mediaType": manifest.OCI_MANIFEST, "digest": digest, "size": len(data)}
    names = saved.tagged_names
    entries = [{**entry, "annotations": {REF_NAME: name}} for name in names] or [entry]
    kept = [other for other in present if _name(other) not in names and other != entry]
    index = {"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": [*kept, *entries]}
    target.document(INDEX, to_json(index))


def _name(entry: dict[str, Any]) -> Any:
    annotations = entry.get("annotations")
    return annotations.get(REF_NAME) if isinstance(annotations, dict) else None


def _write_docker(
    store: Store, saved: SavedImage, target: Target, progress: Progress, *, compress: bool
) -> None:
    image = saved.image
    parsed, data = _manifest_of(store, image)
    target.document(docker_directory.VERSION, docker_directory.VERSION_TEXT)
    layers: dict[str, dict[str, Any]] = {}
    for layer, diff_id in zip(parsed.layers, image.diff_ids, strict=True):
        if layer.digest in layers:
            continue
        digest, size, media_type = layer.digest, layer.size, _docker_layer_type(layer.media_type)
        if compress and media_type != manifest.DOCKER_LAYER_GZIP:
            media_type = manifest.DOCKER_LAYER_GZIP
            digest, size = _write_compressed(store, target, layer.digest)
        elif media_type:
            _copy_blob(store, target, hex_of(digest), digest, progress)
        else:
            digest, media_type = diff_id, manifest.DOCKER_LAYER
            size = _write_plain(store, target, layer.digest, diff_id)
        layers[layer.digest] = {"mediaType": media_type, "size": size, "digest": digest}
    progress.message(f"Copying config {image.id}")
    target.document(hex_of(image.id), store.blobs.read(image.id))
    changed = any(layers[layer.digest]["digest"] != layer.digest for layer in parsed.layers)
    if changed or parsed.media_type != manifest.DOCKER_MANIFEST:
        data = to_json(
            {
                "schemaVersion": 2,
                "mediaType": manifest.DOCKER_MANIFEST,
                "config": _config(parsed, manifest.DOCKER_CONFIG),
                "layers": [layers[layer.digest] for layer in parsed.layers],
            }
        )
    progress.message("Writing manifest to image destination")
    target.document(docker_directory.MANIFEST, data)


def _write_plain(store: Store, target: Target, digest: str, diff_id: str) -> int:
    """A layer for whose compression Docker has no name, without it; its size."""
    fd = nameless_file(f"{store.root}/staging")
    try:
        for chunk in plain_chunks(store, digest):
            files.write_all(fd, chunk)
        target.blob(hex_of(diff_id), fd)
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def _write_compressed(store: Store, target: Target, digest: str) -> tuple[str, int]:
    """A layer with gzip's compression; its digest and size then."""
    import hashlib  # heavy
    import zlib
    from itertools import chain

    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    hashed, size = hashlib.sha256(), 0
    fd = nameless_file(f"{store.root}/staging")
    try:
        for chunk in chain(plain_chunks(store, digest), (b"",)):
            packed = packer.compress(chunk) if chunk else packer.flush()
            hashed.update(packed)
            size += len(packed)
            files.write_all(fd, packed)
        target.blob(hashed.hexdigest(), fd)
    finally:
        os.close(fd)
    return f"sha256:{hashed.hexdigest()}", size


def _copy_blob(store: Store, target: Target, name: str, digest: str, progress: Progress) -> None:
    fd = store.blobs.open(digest)
    try:
        size = os.fstat(fd).st_size
        progress.layer_known(digest, size)
        target.blob(name, fd)
        progress.advance(digest, size)
        progress.done(digest)
    finally:
        os.close(fd)


def _manifest_of(store: Store, image: ImageRecord) -> tuple[Manifest, bytes]:
    data = store.blobs.read(image.digest)
    parsed = parse_manifest(data, f"manifest of image '{image.id}'", image.media_type)
    assert isinstance(parsed, Manifest), "images in the store have one platform"
    return parsed, data


def _as_oci(parsed: Manifest) -> dict[str, Any]:
    """The same image in the other family; OCI has a name for every compression."""
    layers = [
        {
            "mediaType": _oci_layer_type(layer.media_type),
            "digest": layer.digest,
            "size": layer.size,
        }
        for layer in parsed.layers
    ]
    return {
        "schemaVersion": 2,
        "mediaType": manifest.OCI_MANIFEST,
        "config": _config(parsed, manifest.OCI_CONFIG),
        "layers": layers,
    }


def _config(parsed: Manifest, media_type: str) -> dict[str, Any]:
    return {
        "mediaType": media_type,
        "digest": parsed.config.digest,
        "size": parsed.config.size,
    }


def _oci_layer_type(media_type: str) -> str:
    if media_type.endswith("zstd"):
        return manifest.OCI_LAYER_ZSTD
    return manifest.OCI_LAYER_GZIP if media_type.endswith("gzip") else manifest.OCI_LAYER


def _docker_layer_type(media_type: str) -> str:
    """Docker's name for a kind of layer; empty when it has none."""
    if media_type.endswith("zstd"):
        return ""
    return manifest.DOCKER_LAYER_GZIP if media_type.endswith("gzip") else manifest.DOCKER_LAYER
