"""What a manifest of any kind refers to: of images, lists, artifacts, attestations, whose types nobody need know.

For what is copied whole, byte by byte. `manifest.py` reads images, and refuses everything else.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.image.document import Fields, InvalidImage, parse_object
from pod.image.manifest import MAX_LAYERS, MAX_MANIFESTS, SchemaOneManifest
from pod.image.media_types import INDEX_TYPES, OCI_INDEX, OCI_MANIFEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar


class Part(Record):
    """A blob or a manifest that is referred to. `is_elsewhere`: it is not in registries, by its maker's wish."""

    media_type: str
    digest: str
    size: int
    is_elsewhere: bool = False
    annotations: Mapping[str, str] = {}


class Contents(Record):
    """`manifests` are those of a list, `blobs` the configuration and the layers of anything else."""

    media_type: str
    artifact_type: str
    manifests: tuple[Part, ...]
    config: Part | None
    layers: tuple[Part, ...]
    annotations: Mapping[str, str]
    nested: ClassVar = {"manifests": Part, "config": Part, "layers": Part}

    @property
    def is_list(self) -> bool:
        return self.media_type in INDEX_TYPES

    @property
    def blobs(self) -> tuple[Part, ...]:
        """Each blob once, without those that are not in registries."""
        parts = (*((self.config,) if self.config else ()), *self.layers)
        return tuple({part.digest: part for part in parts if not part.is_elsewhere}.values())


def read_contents(data: bytes, what: str, declared: str = "") -> Contents:
    """What the document in `data` refers to; the rest as for `manifest.parse_manifest`. Raises InvalidImage."""
    fields = Fields(parse_object(data, what), what)
    if fields.number("schemaVersion") == 1:
        raise SchemaOneManifest(what)
    if fields.number("schemaVersion") != 2:
        raise fields.wrong("schemaVersion", "2", fields.values.get("schemaVersion"))
    is_list = "manifests" in fields.values
    if is_list and ("layers" in fields.values or "config" in fields.values):
        raise InvalidImage(what, "it is a list and an image at once")
    media_type = fields.text("mediaType") or declared.partition(";")[0].strip().lower()
    if not media_type:
        media_type = OCI_INDEX if is_list else OCI_MANIFEST
    if (media_type in INDEX_TYPES) != is_list:
        raise InvalidImage(what, f"it calls itself '{media_type[:100]}' and is none")
    config = None
    if fields.values.get("config") is not None:
        config = _part(fields.object("config"))
    return Contents(
        media_type=media_type,
        artifact_type=fields.text("artifactType") or (config.media_type if config else ""),
        manifests=tuple(_part(it) for it in fields.objects("manifests", MAX_MANIFESTS)),
        config=config,
        layers=tuple(_part(it) for it in fields.objects("layers", MAX_LAYERS)),
        annotations=fields.text_map("annotations"),
    )


def _part(fields: Fields) -> Part:
    media_type = fields.text("mediaType")
    foreign = "nondistributable" in media_type or ".foreign." in media_type
    return Part(
        media_type,
        fields.digest("digest"),
        fields.size("size"),
        is_elsewhere=foreign and bool(fields.texts("urls")),
        annotations=fields.text_map("annotations"),
    )
