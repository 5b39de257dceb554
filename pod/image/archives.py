"""Loading: from archives and directories of images into the store.

    docker-archive     a file of `docker save`          docker_archive.py
    oci, oci-archive   an OCI image layout              oci_layout.py
    dir                manifest and blobs side by side  docker_directory.py

The format is told by what is inside. All blobs are verified as if they had come from a stranger.
"""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError
from pod.base.records import Record
from pod.image import docker_archive, docker_directory, oci_layout
from pod.image.install import WantedLayer, install_layers
from pod.image.manifest import Descriptor
from pod.image.names import name_for_new_image
from pod.image.parts import Span, open_parts
from pod.image.policy import Policy
from pod.image.pull import check_platform, put_blob
from pod.spec import reference as references
from pod.spec import transport
from pod.spec.reference import InvalidReference
from storage.images import ImageNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.image.found import FoundImage
    from pod.image.install import Transfer
    from pod.image.parts import Parts
    from pod.image.platform import Platform
    from pod.image.policy import Demand
    from pod.image.progress import Progress
    from storage.images import ImageRecord
    from storage.store import Store

_READ_BYTES = 1 << 20


class SeveralImages(PodError):
    """One image was wanted of a file or directory that has more."""

    def __init__(self, place: str, names: list[str], count: int) -> None:
        which = f"name one of them: {', '.join(names)}" if names else "none has a name"
        super().__init__(
            f"'{place}' has {count} images; {which}",
            hint=f"{place}:{names[0]}" if names else None,
        )


class LoadedImage(Record):
    """`id` is the digest of the configuration, `digest` that of the manifest."""

    id: str
    digest: str
    names: tuple[str, ...]


def load(
    store: Store,
    source: str | int,
    progress: Progress,
    *,
    kind: str = "",
    wanted: str = "",
    policy: Policy = Policy(),  # noqa: B008  a Record is immutable
    platform: Platform | None = None,
    only: bool = False,
) -> list[LoadedImage]:
    """Bring the images of an archive or directory into the store. Call with a single thread.

    `source` is a path, or the number of an open file or pipe, which stays open. `kind` is a transport of
    `pod.spec.transport`, when the format shall not be guessed; `wanted` chooses one image in it. A name that is taken
    passes to the new image. With `only`, there must be no more than one.

    Raises BadArchive, InvalidImage, LayerError, DigestMismatch, PolicyRejects, DiskFull; what was complete stays.
    Raises SeveralImages before anything is stored.
    """
    with open_parts(source, f"{store.root}/staging") as parts:
        kind = kind or _kind_of(parts)
        log.debug(f"'{parts.path}' is read as {kind}")
        demand = policy.check(kind, _policy_name(source, kind, wanted))
        found = _read(parts, kind, wanted, platform)
        if only and len(found) > 1:
            names = [name for image in found for name in image.names]
            raise SeveralImages(f"{kind}:{parts.path}", names, len(found))
        if demand is not None:
            _check_signatures(demand, parts, kind, found)
        loaded = []
        for image in found:
            shown = image.names[0] if image.names else image.config_digest
            check_platform(shown, image.parsed_config.platform, platform, progress)
            _store(store, image, progress)
            if isinstance(source, str):
                path = os.path.abspath(source)
                store.sources.note(image.manifest_digest, f"{kind}:{path}")
            loaded.append(LoadedImage(image.config_digest, image.manifest_digest, image.names))
    return loaded


def _policy_name(source: str | int, kind: str, wanted: str) -> str:
    """What the policy knows an image in a file by: its real path, with the tag in a layout."""
    if isinstance(source, int):
        return ""
    path = os.path.realpath(source)
    return f"{path}:{wanted}" if wanted and kind == transport.OCI_LAYOUT else path


def _check_signatures(demand: Demand, parts: Parts, kind: str, found: list[FoundImage]) -> None:
    """Raise NotSigned unless every image has the signatures that are demanded. Only a `dir:` has any."""
    from pod.image.trust.found import InDirectory, Nowhere  # few policies ask for signatures
    from pod.image.trust.verify import verify

    signatures = InDirectory(parts) if kind == transport.DIRECTORY else Nowhere()
    for image in found:
        verify(demand, None, image.manifest, signatures)


def load_location(
    store: Store,
    location: transport.Location,
    progress: Progress,
    *,
    policy: Policy = Policy(),  # noqa: B008
    platform: Platform | None = None,
) -> LoadedImage:
    """The one image that a location with a file transport names. Raises as load, and when there are several."""
    (loaded,) = load(
        store,
        location.path,
        progress,
        kind=location.transport,
        wanted=location.reference,
        policy=policy,
        platform=platform,
        only=True,
    )
    return loaded


def copy_to_store(
    source: Store, image: ImageRecord, target: Store, name: str, progress: Progress
) -> None:
    """An image of one store into another, under a full name. Call with a single thread. Raises as load."""
    entry = Descriptor(image.media_type, image.digest, image.manifest_size)
    held = image.blob_digests
    with source.hold(held), open_parts(source.images.directory, "") as parts:
        _store(target, oci_layout.read_one(parts, entry).replace(names=(name,)), progress)


def _kind_of(parts: Parts) -> str:
    """The format of what is inside. Docker 25 and later write both formats at once, and the names are in its own."""
    if parts.has(docker_directory.MANIFEST):
        if parts.has(docker_directory.VERSION) and not parts.has(oci_layout.INDEX):
            return transport.DIRECTORY
        if parts.read(docker_archive.LISTING).lstrip()[:1] != b"[" and not parts.has(
            oci_layout.INDEX
        ):
            return transport.DIRECTORY
        return transport.DOCKER_ARCHIVE
    if parts.has(oci_layout.INDEX):
        return transport.OCI_LAYOUT if os.path.isdir(parts.path) else transport.OCI_ARCHIVE
    return transport.DOCKER_ARCHIVE  # whose reader says what is missing


def _read(parts: Parts, kind: str, wanted: str, platform: Platform | None) -> list[FoundImage]:
    if kind == transport.DOCKER_ARCHIVE:
        return docker_archive.read_docker_archive(parts, wanted)
    if kind in (transport.OCI_LAYOUT, transport.OCI_ARCHIVE):
        return oci_layout.read_oci_layout(parts, wanted, platform)
    image = docker_directory.read_docker_directory(parts)
    return [image.replace(names=_name_from_path(parts.path))]


def _name_from_path(path: str) -> tuple[str, ...]:
    """An image in a `dir:` is called after its directory, when that makes a name."""
    try:
        parsed = references.parse(os.path.abspath(path).strip("/").lower())
    except InvalidReference:
        return ()
    return (name_for_new_image(parsed.replace(registry="", repository=parsed.name)).tagged,)


def _store(store: Store, image: FoundImage, progress: Progress) -> None:
    source = _FileSource({layer.digest: layer.span for layer in image.layers})
    layers = [WantedLayer(layer.digest, layer.size, layer.diff_id) for layer in image.layers]
    digests = [digest for layer in layers for digest in (layer.digest, layer.diff_id)]
    with store.hold([image.manifest_digest, image.config_digest, *digests]):
        install_layers(store, layers, source, progress)
        progress.message(f"Copying config {image.config_digest}")
        put_blob(store.blobs, image.config_digest, image.config)
        progress.message("Writing manifest to image destination")
        put_blob(store.blobs, image.manifest_digest, image.manifest)
        descriptor = {
            "mediaType": image.manifest_type,
            "digest": image.manifest_digest,
            "size": len(image.manifest),
        }
        for name in image.names:
            store.images.set_name(name, descriptor, index_digest=image.index_digest)
        if not image.names and not _has_image(store, image.config_digest):
            store.images.add_nameless(descriptor)


def _has_image(store: Store, image_id: str) -> bool:
    """Whether the image is here already, perhaps with a manifest of its own, so that it need not be listed twice."""
    try:
        store.images.lookup(image_id)
    except ImageNotFound:
        return False
    return True


class _FileSource:
    """Blobs that are ranges of files."""

    def __init__(self, spans: dict[str, Span]) -> None:
        self._spans = spans
        self._cancelled = False

    def span(self, layer: WantedLayer) -> tuple[int, int, int]:
        span = self._spans[layer.digest]
        return span.fd, span.offset, span.size

    def cancel(self) -> None:
        self._cancelled = True

    def fetch(self, layer: WantedLayer, transfer: Transfer) -> None:
        span = self._spans[layer.digest]
        while (at := transfer.offset) < span.size and not self._cancelled:
            chunk = os.pread(span.fd, min(_READ_BYTES, span.size - at), span.offset + at)
            if not chunk:
                break  # the file was cut meanwhile; the size tells
            transfer.write(chunk)
