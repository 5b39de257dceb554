"""OCI image layouts, in a directory or in an archive: index.json and blobs by digest.

Source: OCI image layout specification. Which name an image gets follows podman, and the annotations of containerd and
docker, whose archives are layouts too.
"""

from __future__ import annotations

from pod.base.errors import PodError
from pod.image import manifest, media_types
from pod.image.configuration import check_layer_count, parse_image_config
from pod.image.document import InvalidImage
from pod.image.found import FoundImage, FoundLayer
from pod.image.manifest import Index, Manifest
from pod.image.names import name_for_new_image
from pod.image.parts import NotInside
from pod.image.platform import Platform, host_platform
from pod.spec import reference as references
from pod.spec.digest import algorithm_of, hex_of
from pod.spec.reference import InvalidReference
from storage.blobs import DigestMismatch, digest_of
from storage.images import REF_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.image.manifest import Descriptor
    from pod.image.parts import Parts

INDEX = "index.json"
FULL_NAME = "io.containerd.image.name"
_MAX_DEPTH = 3


def read_oci_layout(
    parts: Parts, wanted: str = "", platform: Platform | None = None
) -> list[FoundImage]:
    """The images of the layout; with `wanted`, only the one with that name or tag, or that is called so here.

    Raises BadArchive, InvalidImage, NoSuchPlatform, DigestMismatch.
    """
    what = f"{INDEX} of '{parts.path}'"
    index = manifest.parse_manifest(parts.read(INDEX), what, media_types.OCI_INDEX)
    if not isinstance(index, Index):
        raise InvalidImage(what, "it is no list of images")
    entries = [
        entry
        for entry in index.manifests
        if not entry.media_type or entry.media_type in media_types.ACCEPTED
    ]
    if wanted:
        chosen = [
            entry
            for entry in entries
            if wanted
            in (entry.annotations.get(REF_NAME), entry.annotations.get(FULL_NAME), _name(entry))
        ]
        if not chosen:
            offers = [entry.annotations.get(REF_NAME) for entry in entries]
            raise NotInside(parts.path, wanted, [name for name in offers if name])
        entries = chosen
    if not entries:
        raise parts.broken("it has no images")
    found: dict[str, FoundImage] = {}
    for entry in entries:
        image = _image(parts, entry, platform)
        names = tuple(name for name in [_name(entry)] if name)
        if image.manifest_digest in found:
            known = found[image.manifest_digest]
            found[image.manifest_digest] = known.replace(names=known.names + names)
        else:
            found[image.manifest_digest] = image.replace(names=names)
    return list(found.values())


def images_of_layout(parts: Parts) -> dict[str, list[FoundImage]]:
    """What can be read of a layout that stands beside something else, without names, by digests of configurations."""
    found: dict[str, list[FoundImage]] = {}
    if not parts.has(INDEX):
        return found
    try:
        index = manifest.parse_manifest(parts.read(INDEX), INDEX, media_types.OCI_INDEX)
        entries = index.manifests if isinstance(index, Index) else ()
    except PodError:
        return found
    for entry in {entry.digest: entry for entry in entries}.values():
        try:
            image = _image(parts, entry, None)
        except PodError:
            continue
        found.setdefault(image.config_digest, []).append(image)
    return found


def read_one(parts: Parts, entry: Descriptor) -> FoundImage:
    """The image with the manifest that `entry` describes, without a name, whether the index has it or not."""
    return _image(parts, entry, None)


def _image(parts: Parts, entry: Descriptor, platform: Platform | None) -> FoundImage:
    what = f"manifest of an image in '{parts.path}'"
    data = _blob(parts, entry)
    index_digest, digest = None, entry.digest
    declared = entry.media_type
    for _ in range(_MAX_DEPTH):
        parsed = manifest.parse_manifest(data, what, declared)
        if isinstance(parsed, Manifest):
            return _found(parts, parsed, data, digest, index_digest)
        index_digest = index_digest or entry.digest
        chosen = manifest.choose(parsed, platform or host_platform(), what)
        data, digest, declared = _blob(parts, chosen), chosen.digest, chosen.media_type
    raise InvalidImage(what, "it is a list of lists of lists")


def _found(
    parts: Parts, parsed: Manifest, data: bytes, digest: str, index_digest: str | None
) -> FoundImage:
    config_data = _blob(parts, parsed.config)
    config = parse_image_config(config_data, f"configuration of an image in '{parts.path}'")
    check_layer_count(config, len(parsed.layers), f"image in '{parts.path}'")
    layers = []
    for layer, diff_id in zip(parsed.layers, config.diff_ids, strict=True):
        span = parts.span(blob_name(layer.digest))
        if span.size != layer.size:
            raise parts.broken(
                f"layer '{layer.digest}' has {span.size} bytes and should have {layer.size}"
            )
        layers.append(FoundLayer(layer.digest, layer.size, diff_id, span))
    return FoundImage(
        manifest=data,
        manifest_type=parsed.media_type,
        manifest_digest=digest,
        config=config_data,
        config_digest=parsed.config.digest,
        parsed_config=config,
        layers=tuple(layers),
        index_digest=index_digest,
    )


def blob_name(digest: str) -> str:
    """The file of a blob in a layout."""
    return f"blobs/{algorithm_of(digest)}/{hex_of(digest)}"


def _blob(parts: Parts, descriptor: Descriptor) -> bytes:
    data = parts.read(blob_name(descriptor.digest))
    actual = digest_of(data, algorithm_of(descriptor.digest))
    if actual != descriptor.digest:
        raise DigestMismatch(descriptor.digest, actual)
    return data


def _name(entry: Descriptor) -> str:
    """The full name that the annotations give; empty when they give none that is one."""
    text = entry.annotations.get(FULL_NAME) or entry.annotations.get(REF_NAME)
    if not text:
        return ""
    try:
        parsed = references.parse(text)
    except InvalidReference:
        return ""  # any text is allowed there, see the specification
    return "" if parsed.digest else name_for_new_image(parsed).tagged
