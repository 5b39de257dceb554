"""Layers in another compression than the store has them in, and manifests that say so.

The configuration, and with it the id of the image, never changes; the manifest does, and its digest.
"""

from __future__ import annotations

import os

from pod.base import files
from pod.base.errors import UsageError
from pod.base.records import Record
from pod.image import media_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from pod.image.manifest import Descriptor, Manifest
    from storage.places import Packed
    from storage.store import Store

GZIP, ZSTD, CHUNKED, NONE = "gzip", "zstd", "zstd:chunked", "none"
COMPRESSIONS = (GZIP, ZSTD, CHUNKED, NONE)
OCI, DOCKER = "oci", "v2s2"
FAMILIES = (OCI, DOCKER)

_LEVELS = {GZIP: (1, 9), ZSTD: (1, 22), CHUNKED: (1, 22)}
_DEFAULT_LEVELS = {GZIP: 6, ZSTD: 3, CHUNKED: 3}


class Packing(Record):
    """How the layers of an image shall be compressed, and in whose words the manifest is written.

    `compression` "" leaves compressed layers as they are. `usual` is for layers that are not compressed and shall be;
    "" leaves them too. `family` "" is that of the image, if it has a name for what its layers become.
    """

    compression: str = ""
    level: int | None = None
    family: str = ""
    usual: str = GZIP
    force: bool = True
    """With a `compression`: also when the destination has the layer in another one."""

    def compression_for(self, layer: Descriptor, family: str) -> str:
        """What a layer is to become; "" when it may stay as it is."""
        has = compression_of(layer)
        wanted = self.compression or (self.usual if has == NONE else "")
        if family == DOCKER and (wanted or has) in (ZSTD, CHUNKED):
            wanted = GZIP if self.usual else NONE  # Docker has no name for anything else
        if wanted == has or (wanted == ZSTD and has == CHUNKED):
            return ""
        return wanted

    def family_for(self, parsed: Manifest) -> str:
        """OCI or DOCKER."""
        own = DOCKER if parsed.media_type == media_types.DOCKER_MANIFEST else OCI
        family = self.family or own
        if not self.family and self.compression in (ZSTD, CHUNKED):
            return OCI
        return family

    def level_of(self, compression: str) -> int:
        """The level at which to compress."""
        return _DEFAULT_LEVELS.get(compression, 0) if self.level is None else self.level


AS_IT_IS = Packing(usual="")


def check(packing: Packing) -> Packing:
    """The same, when it makes sense. Raises UsageError."""
    if packing.family == DOCKER and packing.compression in (ZSTD, CHUNKED):
        raise UsageError(
            f"--format {DOCKER} has no layers with the compression '{packing.compression}'",
            hint=f"--format {OCI}",
        )
    if packing.level is not None:
        compression = packing.compression or packing.usual
        lowest, highest = _LEVELS.get(compression, (0, 0))
        if not lowest <= packing.level <= highest:
            what = f"from {lowest} to {highest}" if highest else "none"
            raise UsageError(
                f"invalid compression level '{packing.level}': those of {compression} are {what}"
            )
    return packing


def compression_of(layer: Descriptor) -> str:
    """What the manifest says of a layer."""
    if layer.media_type.endswith("zstd"):
        from storage import chunked

        return CHUNKED if chunked.CHECKSUM in layer.annotations else ZSTD
    return GZIP if layer.media_type.endswith("gzip") else NONE


def pack(
    store: Store,
    digest: str,
    compression: str,
    level: int,
    advance: Callable[[int], None] = lambda count: None,
) -> tuple[Packed, int]:
    """The layer in the blob `digest`, compressed anew, and a descriptor with its bytes, which the caller closes.

    `advance` is told of bytes of the layer without compression. The file has no name, so nothing is left of it when the
    command is killed. Raises BlobNotFound, DamagedBlob.
    """
    import hashlib  # heavy

    from pod.image.parts import nameless_file
    from pod.image.saving import plain_chunks
    from storage.places import Packed

    fd = nameless_file(f"{store.root}/staging")
    try:
        hashed, annotations = hashlib.sha256(), {}

        def write(data: bytes) -> None:
            hashed.update(data)
            files.write_all(fd, data)

        def counted() -> Iterator[bytes]:
            for chunk in plain_chunks(store, digest):
                yield chunk
                advance(len(chunk))

        chunks = counted()
        if compression == CHUNKED:
            from storage.chunked_write import write_chunked

            annotations = write_chunked(chunks, write, level=level)
        else:
            for packed in _compressed(chunks, compression, level):
                write(packed)
        size = os.fstat(fd).st_size
    except BaseException:
        os.close(fd)
        raise
    return Packed(f"sha256:{hashed.hexdigest()}", size, annotations), fd


def _compressed(chunks: Iterator[bytes], compression: str, level: int) -> Iterator[bytes]:
    if compression == NONE:
        return chunks
    from storage import compress

    return (compress.gzip if compression == GZIP else compress.zstd)(chunks, level)


def packed_layer(layer: Descriptor, packed: Packed, compression: str, family: str) -> Descriptor:
    """What a manifest says of a layer that was compressed."""
    from pod.image.manifest import Descriptor
    from storage import chunked

    of_chunked = chunked.CHECKSUM.rpartition(".")[0]
    kept = {
        key: value for key, value in layer.annotations.items() if not key.startswith(of_chunked)
    }
    return Descriptor(
        layer_type(compression, family),
        packed.digest,
        packed.size,
        annotations={**kept, **packed.annotations},
    )


def layer_type(compression: str, family: str) -> str:
    """The media type of a layer."""
    if family == DOCKER:
        return media_types.DOCKER_LAYER if compression == NONE else media_types.DOCKER_LAYER_GZIP
    return {
        NONE: media_types.OCI_LAYER,
        GZIP: media_types.OCI_LAYER_GZIP,
        ZSTD: media_types.OCI_LAYER_ZSTD,
        CHUNKED: media_types.OCI_LAYER_ZSTD,
    }[compression]


def manifest_type(family: str) -> str:
    """The media type of a manifest."""
    return media_types.DOCKER_MANIFEST if family == DOCKER else media_types.OCI_MANIFEST


def rewritten(parsed: Manifest, layers: Sequence[Descriptor], family: str) -> tuple[bytes, str]:
    """A manifest for the same configuration in the words of `family`, and its media type.

    `layers` already have media types of that family, or are those of `parsed`, which are translated.
    """
    from pod.image.saving import to_json

    media_type = manifest_type(family)
    config_type = media_types.DOCKER_CONFIG if family == DOCKER else media_types.OCI_CONFIG
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _descriptor(parsed.config, config_type, {}),
        "layers": [
            _descriptor(
                layer,
                layer_type(compression_of(layer), family),
                {} if family == DOCKER else layer.annotations,
            )
            for layer in layers
        ],
    }
    if parsed.annotations and family == OCI:
        document["annotations"] = dict(parsed.annotations)
    return to_json(document), media_type


def _descriptor(
    descriptor: Descriptor, media_type: str, annotations: Mapping[str, str]
) -> dict[str, Any]:
    said: dict[str, Any] = {
        "mediaType": media_type,
        "size": descriptor.size,
        "digest": descriptor.digest,
    }
    if annotations:
        said["annotations"] = dict(annotations)
    return said
