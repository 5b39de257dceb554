"""What manifests and configurations say about images, read once and kept beside the index.

Both are named by their digests and never change, so what was read needs no invalidation. The file can be thrown away.
"""

from __future__ import annotations

import os

from pod.base import files, plainjson
from pod.base.errors import PodError
from pod.spec.digest import InvalidDigest, parse_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from storage.blobs import BlobStore
    from storage.layers import LayerStore

    Facts = dict[str, Any]

_VERSION = 1


class DamagedImage(PodError):
    """A manifest or configuration in the store is not what it should be."""

    def __init__(self, digest: str) -> None:
        super().__init__(
            f"image '{digest}' is damaged: its manifest or configuration lacks required fields",
            hint="pod system check --repair",
        )


class KnownFacts:
    """The facts of many manifests, by digest, in the file `path`."""

    def __init__(self, path: str, blobs: BlobStore, layers: Callable[[], LayerStore]) -> None:
        self._path = path
        self._blobs = blobs
        self._layers = layers

    def load(self) -> dict[str, Facts]:
        """What is known already; nothing when the file is missing or of no use."""
        try:
            document = files.read_json(self._path)
        except (FileNotFoundError, files.DamagedFile):
            return {}
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            return {}
        facts = document.get("facts")
        return facts if isinstance(facts, dict) else {}

    def keep(self, facts: dict[str, Facts]) -> None:
        """Replace the file. That nobody can write must not keep anybody from looking at images."""
        try:
            files.write_json(self._path, {"version": _VERSION, "facts": facts}, sync=False)
        except OSError:
            pass

    def forget(self) -> bool:
        """Remove the file, for its space; whether there was one."""
        try:
            os.unlink(self._path)
        except OSError:
            return False
        return True

    def read(self, digest: str) -> Facts:
        """The facts of one manifest, from its blob; "complete" says whether they may be kept.

        The blobs were checked when they came in, and their digests are checked again. Raises DamagedImage,
        BlobNotFound, DigestMismatch.
        """
        manifest = document_of(self._blobs, digest)
        try:
            config_digest = parse_digest(manifest["config"]["digest"])
            config = document_of(self._blobs, config_digest)
            layers = [
                [parse_digest(layer["digest"]), int(layer["size"]), str(layer["mediaType"])]
                for layer in manifest["layers"]
            ]
            diff_ids = [parse_digest(diff_id) for diff_id in config["rootfs"]["diff_ids"]]
            config_size = int(manifest["config"].get("size", 0))
        except (KeyError, TypeError, ValueError, AttributeError, InvalidDigest) as error:
            raise DamagedImage(digest) from error
        if len(layers) != len(diff_ids):
            raise DamagedImage(digest)
        unpacked = self._layers()
        found = [unpacked.find(diff_id) for diff_id in diff_ids]
        sizes = [record.size for record in found if record is not None]
        return {
            "id": config_digest,
            "created": text(config.get("created")),
            "size": sum(sizes) + config_size,
            "compressed_size": sum(layer[1] for layer in layers),
            "os": text(config.get("os")),
            "architecture": text(config.get("architecture")),
            "variant": text(config.get("variant")),
            "layers": layers,
            "diff_ids": diff_ids,
            "complete": len(sizes) == len(diff_ids),
        }


def document_of(blobs: BlobStore, digest: str) -> dict[str, Any]:
    """The JSON object in a blob. Raises DamagedImage when it is none."""
    try:
        document = plainjson.loads(blobs.read(digest))
    except ValueError as error:
        raise DamagedImage(digest) from error
    if not isinstance(document, dict):
        raise DamagedImage(digest)
    return document


def text(value: Any) -> str:
    """A field that should be text; "" when it is not."""
    return value if isinstance(value, str) else ""
