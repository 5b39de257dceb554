"""Manifests and indexes: parse what a registry or an archive gives, choose the image for a platform.

Both families are read, the OCI image specification's and Docker's schema 2, which differ in names only. Everything is
checked here; whoever holds a Manifest or an Index can use its fields as they are.
"""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record
from pod.image.document import Fields, InvalidImage, parse_object
from pod.image.media_types import (
    ACCEPTED,
    CONFIG_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_INDEX,
    OCI_MANIFEST,
)
from pod.image.platform import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from storage.images import ImageRecord
    from storage.store import Store

_SCHEMA_1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
_LAYER_PREFIXES = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.container.image.rootfs.diff",
)
_COMPRESSIONS = ("", "gzip", "zstd")

_SHOWN = 60  # characters of what a stranger wrote that are worth showing
_MOST_PLATFORMS = 20
MAX_LAYERS = 500
"""As many lower directories as overlayfs takes, Documentation/filesystems/overlayfs."""
MAX_MANIFESTS = 2000


class SchemaOneManifest(PodError):
    """The image exists only in the manifest format that Docker gave up in 2017."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the {what} has the obsolete schema 1",
            hint="ask its owner to push it again with any engine made after 2017",
        )


class NotAnImage(PodError):
    """An artifact: something else than a container image, kept in a registry."""

    def __init__(self, what: str, kind: str) -> None:
        super().__init__(
            f"the {what} describes no container image, but an artifact of type '{kind[:_SHOWN]}'"
        )


class NoSuchPlatform(PodError):
    """An index without an image for the wanted platform."""

    def __init__(self, what: str, wanted: Platform, available: tuple[str, ...]) -> None:
        offers = ", ".join(available[:_MOST_PLATFORMS]) or "none at all"
        super().__init__(
            f"the {what} has no image for {wanted}; it has {offers}",
            hint=f"--platform {available[0]}" if available else None,
        )
        self.available = available


class Descriptor(Record):
    """What a document says of a blob."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = {}
    nested: ClassVar = {"platform": Platform}


class Manifest(Record):
    """One image: its configuration, and its layers from the bottom up."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = {}
    nested: ClassVar = {"config": Descriptor, "layers": Descriptor}


class Index(Record):
    """Several images, usually one for each platform."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    nested: ClassVar = {"manifests": Descriptor}


def parse_manifest(data: bytes, what: str, declared: str = "") -> Manifest | Index:
    """The manifest or index in `data`.

    `what` names it in errors, such as "manifest of 'nginx'"; `declared` is the media type that came with it, in a
    Content-Type header or a descriptor. Raises InvalidImage, SchemaOneManifest, NotAnImage.
    """
    fields = Fields(parse_object(data, what), what)
    declared = declared.partition(";")[0].strip().lower()
    inner = fields.text("mediaType")
    if fields.number("schemaVersion") == 1 or inner in _SCHEMA_1:
        raise SchemaOneManifest(what)
    if fields.number("schemaVersion") != 2:
        raise fields.wrong("schemaVersion", "2", fields.values.get("schemaVersion"))
    if "manifests" in fields.values and ("layers" in fields.values or "config" in fields.values):
        # One digest must not mean two things, depending on who reads it: CVE-2021-41190.
        raise InvalidImage(what, "it is a list and an image at once")
    media_type = _media_type(fields, inner, declared)
    if media_type in INDEX_TYPES:
        return _index(fields, media_type)
    if media_type in MANIFEST_TYPES:
        return _manifest(fields, media_type)
    raise NotAnImage(what, media_type)


def _media_type(fields: Fields, inner: str, declared: str) -> str:
    """The document's own type; OCI documents may leave it out, then the declared one, then the shape tells."""
    if inner:
        known = declared in ACCEPTED and inner in ACCEPTED
        if known and (declared in INDEX_TYPES) != (inner in INDEX_TYPES):
            raise InvalidImage(fields.what, f"it came as '{declared}' and calls itself '{inner}'")
        return inner
    is_index = "manifests" in fields.values
    if declared in ACCEPTED and (declared in INDEX_TYPES) == is_index:
        return declared
    if declared in ACCEPTED:
        raise InvalidImage(fields.what, f"it came as '{declared}' and is none")
    return OCI_INDEX if is_index else OCI_MANIFEST


def _index(fields: Fields, media_type: str) -> Index:
    entries = fields.objects("manifests", MAX_MANIFESTS)
    return Index(media_type, tuple(_descriptor(entry) for entry in entries))


def _manifest(fields: Fields, media_type: str) -> Manifest:
    config = _descriptor(fields.object("config"))
    layers = tuple(_descriptor(entry) for entry in fields.objects("layers", MAX_LAYERS))
    kind = fields.text("artifactType") or config.media_type
    if config.media_type not in CONFIG_TYPES:
        raise NotAnImage(fields.what, kind)
    for layer in layers:
        _check_layer_type(fields.what, layer.media_type)
    return Manifest(media_type, config, layers, fields.text_map("annotations"))


def _check_layer_type(what: str, media_type: str) -> None:
    if media_type.endswith("+encrypted"):
        raise InvalidImage(what, "its layers are encrypted, which is not supported")
    for prefix in _LAYER_PREFIXES:
        if (
            media_type.startswith(prefix)
            and media_type[len(prefix) :].lstrip(".+") in _COMPRESSIONS
        ):
            return
    raise InvalidImage(what, f"it has a layer of the unknown type '{media_type[:100]}'")


def _descriptor(fields: Fields) -> Descriptor:
    platform = None
    if fields.values.get("platform") is not None:
        declared = fields.object("platform")
        platform = Platform(
            declared.text("os"), declared.text("architecture"), declared.text("variant")
        )
    return Descriptor(
        fields.text("mediaType"),
        fields.digest("digest"),
        fields.size("size"),
        platform,
        fields.text_map("annotations"),
    )


def choose(index: Index, wanted: Platform, what: str) -> Descriptor:
    """The entry of `index` for the platform `wanted`; it may be an index in turn. Raises NoSuchPlatform.

    The best variant wins, and of equals the first. Entries that name no platform count only when nothing else fits.
    """
    best: tuple[int, Descriptor] | None = None
    unnamed: Descriptor | None = None
    for entry in index.manifests:
        if entry.media_type not in ACCEPTED and entry.media_type:
            continue
        if entry.platform is None:
            unnamed = unnamed or entry
            continue
        rank = wanted.rank_of(entry.platform)
        if rank is not None and (best is None or rank < best[0]):
            best = (rank, entry)
    if best is not None:
        return best[1]
    if unnamed is not None:
        return unnamed
    raise NoSuchPlatform(what, wanted, available_platforms(index))


def available_platforms(index: Index) -> tuple[str, ...]:
    """The platforms of an index, as text, without the attestations that BuildKit files under "unknown"."""
    names = {
        str(entry.platform)[:_SHOWN]: None
        for entry in index.manifests
        if entry.platform is not None and entry.platform.architecture not in ("", "unknown")
    }
    return tuple(names)


def manifest_of(store: Store, image: ImageRecord) -> tuple[Manifest, bytes]:
    """The manifest of an image, parsed and as it came. Raises BlobNotFound, DigestMismatch."""
    data = store.blobs.read(image.digest)
    parsed = parse_manifest(data, f"manifest of image '{image.id}'", image.media_type)
    assert isinstance(parsed, Manifest), "images in the store have one platform"
    return parsed, data
