"""The `dir:` transport: manifest.json, and blobs by their digits, side by side in one directory.

Source: containers-transports(5). It has no specification; skopeo and podman write and read it.
"""

from __future__ import annotations

from pod.image import manifest
from pod.image.configuration import check_layer_count, parse_image_config
from pod.image.found import FoundImage, FoundLayer
from pod.image.manifest import Manifest
from pod.spec.digest import algorithm_of, hex_of
from storage.blobs import DigestMismatch, digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.image.parts import Parts

MANIFEST = "manifest.json"
VERSION = "version"
VERSION_TEXT = b"Directory Transport Version: 1.1\n"


def read_docker_directory(parts: Parts) -> FoundImage:
    """The one image of the directory. Raises BadArchive, InvalidImage, DigestMismatch."""
    data = parts.read(MANIFEST)
    parsed = manifest.parse_manifest(data, f"{MANIFEST} of '{parts.path}'")
    if not isinstance(parsed, Manifest):
        raise parts.broken("it has several images in one manifest")
    config_data = parts.read(hex_of(parsed.config.digest))
    actual = digest_of(config_data, algorithm_of(parsed.config.digest))
    if actual != parsed.config.digest:
        raise DigestMismatch(parsed.config.digest, actual)
    config = parse_image_config(config_data, f"configuration of the image in '{parts.path}'")
    check_layer_count(config, len(parsed.layers), f"image in '{parts.path}'")
    layers = []
    for layer, diff_id in zip(parsed.layers, config.diff_ids, strict=True):
        span = parts.span(hex_of(layer.digest))
        if span.size != layer.size:
            raise parts.broken(
                f"layer '{layer.digest}' has {span.size} bytes and should have {layer.size}"
            )
        layers.append(FoundLayer(layer.digest, layer.size, diff_id, span))
    return FoundImage(
        manifest=data,
        manifest_type=parsed.media_type,
        manifest_digest=digest_of(data),
        config=config_data,
        config_digest=parsed.config.digest,
        parsed_config=config,
        layers=tuple(layers),
    )
