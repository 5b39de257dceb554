"""The archives of `docker save` and `podman save`: manifest.json, and configurations and plain layers by name.

    [{"Config": "HEX.json", "RepoTags": ["nginx:1"], "Layers": ["HEX.tar", ...]}, ...]

Source: Docker's image specification 1.2, "Combined Image JSON + Filesystem Changeset Format". Layers may be links to
one another (older Dockers), and compressed (some builders), which the format does not forbid. Docker 25 and later, and
pod, write an OCI layout of the same blobs beside it.
"""

from __future__ import annotations

import json
import os

from pod.image import media_types
from pod.image.configuration import check_layer_count, parse_image_config
from pod.image.document import Fields
from pod.image.found import FoundImage, FoundLayer
from pod.image.oci_layout import images_of_layout
from pod.image.parts import BadArchive, NotInside
from pod.spec import reference as references
from storage import compression
from storage.blobs import digest_of, digest_of_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pod.image.parts import Parts

LISTING = "manifest.json"
_MAX_IMAGES = 1000
_HEX = frozenset("0123456789abcdef")
_LAYER_TYPES = {
    "": media_types.OCI_LAYER,
    "gzip": media_types.OCI_LAYER_GZIP,
    "zstd": media_types.OCI_LAYER_ZSTD,
}


def read_docker_archive(parts: Parts, wanted: str = "") -> list[FoundImage]:
    """The images of the archive; with `wanted`, only the one with that reference, or "@N" for number N from 0 on.

    Raises BadArchive, InvalidImage, InvalidReference.
    """
    entries = _listing(parts)
    if wanted.startswith("@"):
        number = wanted[1:]
        if not number.isdecimal() or int(number) >= len(entries):
            raise parts.broken(f"it has {len(entries)} images, and none is number '{number}'")
        entries = [entries[int(number)]]
    in_layout = images_of_layout(parts)
    found = [_image(parts, entry, in_layout) for entry in entries]
    if wanted and not wanted.startswith("@"):
        name = str(references.parse(wanted).normalized())
        chosen = [image for image in found if name in image.names]
        if not chosen:
            raise NotInside(parts.path, wanted, [name for image in found for name in image.names])
        return [chosen[0].replace(names=(name,))]
    return found


def _listing(parts: Parts) -> list[Fields]:
    if not parts.has(LISTING):
        if parts.has("repositories"):
            raise parts.broken("it was written by a Docker older than 1.10")
        raise parts.broken(f"it has neither '{LISTING}' nor 'index.json'")
    try:
        listed: Any = json.loads(parts.read(LISTING))
    except (ValueError, RecursionError) as error:
        raise parts.broken(f"'{LISTING}' is not JSON") from error
    if not isinstance(listed, list) or not listed:
        raise parts.broken(f"'{LISTING}' lists no images")
    if len(listed) > _MAX_IMAGES:
        raise parts.broken(f"'{LISTING}' lists {len(listed)} images")
    what = f"{LISTING} of '{parts.path}'"
    return [Fields(entry, what, f"[{number}]") for number, entry in enumerate(listed)]


def _image(parts: Parts, entry: Fields, in_layout: Mapping[str, list[FoundImage]]) -> FoundImage:
    """`in_layout` has what the archive says of the same images as an OCI layout, by the digests of configurations."""
    config_name = _plain_name(parts, entry.text("Config", None))
    data = parts.read(config_name)
    digest = digest_of(data)
    stem = os.path.basename(config_name).removesuffix(".json")
    if len(stem) == 64 and _HEX.issuperset(stem) and f"sha256:{stem}" != digest:
        raise parts.broken(f"'{config_name}' has the digest {digest}")
    config = parse_image_config(data, f"'{config_name}' of '{parts.path}'")
    layer_names = entry.texts("Layers")
    check_layer_count(config, len(layer_names), f"image in '{parts.path}'")
    names = tuple(_full_name(tag) for tag in entry.texts("RepoTags"))
    spans = [parts.span(_plain_name(parts, name)) for name in layer_names]
    for image in in_layout.get(digest, ()):
        if [layer.span for layer in image.layers] == spans:
            return image.replace(names=names)  # with the manifest that it had
    layers, types = [], []
    for name, span, diff_id in zip(layer_names, spans, config.diff_ids, strict=True):
        kind = compression.detect(span.start())
        if kind not in _LAYER_TYPES:
            raise parts.broken(f"layer '{name}' is compressed with {kind}")
        # A plain layer is its own blob; its content is checked while it is copied and while it is unpacked.
        own = kind or diff_id[:7] != "sha256:"
        blob = digest_of_part(span.fd, span.offset, span.size) if own else diff_id
        layers.append(FoundLayer(blob, span.size, diff_id, span))
        types.append(_LAYER_TYPES[kind])
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": {"mediaType": media_types.OCI_CONFIG, "digest": digest, "size": len(data)},
        "layers": [
            {"mediaType": kind, "digest": layer.digest, "size": layer.size}
            for kind, layer in zip(types, layers, strict=True)
        ],
    }
    made = json.dumps(document, separators=(",", ":")).encode()
    return FoundImage(
        manifest=made,
        manifest_type=media_types.OCI_MANIFEST,
        manifest_digest=digest_of(made),
        config=data,
        config_digest=digest,
        parsed_config=config,
        layers=tuple(layers),
        names=names,
    )


def _plain_name(parts: Parts, name: str) -> str:
    """A name from the listing without "./"; the archive's own index keeps it inside."""
    plain = name.removeprefix("./")
    if not plain or plain.startswith("/") or ".." in plain.split("/"):
        raise BadArchive(parts.path, f"it refers to '{name}', which is outside of it")
    return plain


def _full_name(tag: str) -> str:
    """Docker writes its own short names: "nginx:1" is Docker Hub's."""
    return references.parse(tag).normalized().tagged
