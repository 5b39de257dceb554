"""An image on its way to a registry: as it is, or with its layers compressed in another way; see push.py."""

from __future__ import annotations

import os
from _functools import partial

from pod.base import log
from pod.image import push
from pod.image.packing import manifest_type, pack, packed_layer, rewritten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.image.access import Access
    from pod.image.manifest import Descriptor
    from pod.image.packing import Packing
    from pod.image.progress import Progress
    from pod.image.push import Destination
    from pod.image.trust.sign import Signer
    from pod.image.upload import Content
    from pod.spec.reference import Reference
    from storage.images import ImageRecord
    from storage.store import Store


def push_image(
    store: Store,
    image: ImageRecord,
    reference: Reference,
    access: Access,
    progress: Progress,
    packing: Packing,
    signer: Signer | None = None,
) -> str:
    """Copy an image of the store to the registry of a full `reference`; the digest of the manifest there.

    `signer` signs it when it is there. Call with a single thread. Raises what `push.connect`, `put_blobs` and
    `put_manifest` raise.
    """
    with push.connect(reference, access, progress, store) as destination:
        is_there = None
        if not (packing.compression or packing.family):
            destination.meanwhile(_load_for_manifest)
            is_there = destination.has_manifest(image.digest) is not None
        digest = _put(store, image, destination, packing, is_there=is_there)
        if signer is not None:
            progress.message("Storing signatures")
            signer.sign(destination, digest)
    progress.message("Writing manifest to image destination")
    return digest


def _load_for_manifest() -> None:
    """What is needed next, loaded while the registry says whether it has the manifest."""
    __import__("pod.image.manifest")


def _load_for_end() -> None:
    """What every command on images ends with, loaded while the registry takes the manifest."""
    __import__("storage.collect")


def _put(
    store: Store,
    image: ImageRecord,
    destination: Destination,
    packing: Packing,
    *,
    is_there: bool | None,
) -> str:
    """Everything of the image but its signatures; the digest of the manifest.

    `is_there`: as it is in the store; None when the repository was not asked, as it is unlikely to be wanted so.

    A repository that has the manifest is not asked for the blobs. Should they be gone all the same, which it says when
    it gets the manifest, they are sent.
    """
    from pod.image.manifest import manifest_of

    parsed, data = manifest_of(store, image)
    family = packing.family_for(parsed)
    changes = [packing.compression_for(layer, family) for layer in parsed.layers]
    as_it_is = parsed.media_type == manifest_type(family) and not any(changes)
    if as_it_is:
        destination.expect(image.digest)
    if as_it_is and is_there is None:
        is_there = destination.has_manifest(image.digest) is not None
    if as_it_is and is_there:
        destination.meanwhile(_load_for_end)
        digest = destination.put_again(data, image.media_type)
        if digest is not None:
            return digest
    with store.hold([image.digest, image.id, *(layer.digest for layer in parsed.layers)]):
        config = push.content_of(store.blobs, parsed.config.digest)
        if as_it_is:
            blobs = [push.content_of(store.blobs, layer.digest) for layer in parsed.layers]
            destination.put_blobs([*blobs, config])
            return destination.put_manifest(data, image.media_type)
        layers = _Layers(store, destination, packing, family)
        for layer, diff_id, change in zip(parsed.layers, image.diff_ids, changes, strict=True):
            layers.add(layer, diff_id, change)
        layers.put(config)
        became = [layers.became[layer.digest] for layer in parsed.layers]
        return destination.put_manifest(*rewritten(parsed, became, family))


class _Layers:
    """The layers of one image, of which some change. `became` says what, by the digest of each."""

    def __init__(
        self, store: Store, destination: Destination, packing: Packing, family: str
    ) -> None:
        self.became: dict[str, Descriptor] = {}
        self._store = store
        self._places = store.places
        self._destination = destination
        self._packing = packing
        self._family = family
        self._jobs: dict[str, tuple[int, Callable[[], None]]] = {}

    def add(self, layer: Descriptor, diff_id: str, change: str) -> None:
        """A layer that becomes what `change` names, or stays as it is."""
        job = (
            partial(self._change, layer, diff_id, change) if change else partial(self._keep, layer)
        )
        self._jobs[layer.digest] = (layer.size, job)

    def put(self, config: Content) -> None:
        """Copy them all, and the configuration."""
        jobs = [job for _, job in sorted(self._jobs.values(), key=lambda sized: -sized[0])]
        try:
            self._destination.run([*jobs, partial(self._destination.put_blob, config)])
        finally:
            self._places.keep()

    def _keep(self, layer: Descriptor) -> None:
        self._destination.put_blob(push.content_of(self._store.blobs, layer.digest))
        self.became[layer.digest] = layer

    def _change(self, layer: Descriptor, diff_id: str, compression: str) -> None:
        packing, destination = self._packing, self._destination
        if not packing.force and packing.compression and destination.has_blob(layer.digest):
            self.became[layer.digest] = layer
            return
        level = packing.level_of(compression)
        how = f"{compression}:{level}"
        known = self._places.packed(diff_id, how)
        if known is not None and destination.has_blob(known.digest):
            self.became[layer.digest] = packed_layer(layer, known, compression, self._family)
            return
        record = self._store.layers.record(diff_id) if self._store.layers.has(diff_id) else layer
        destination.progress.layer_known(layer.digest, record.size)
        shown = 0

        def advance(count: int) -> None:
            nonlocal shown
            shown += count
            destination.progress.advance(layer.digest, count)

        packed, fd = pack(self._store, layer.digest, compression, level, advance)
        try:
            log.debug(f"{layer.digest} is {packed.digest} with {how}")
            self._places.add_packed(diff_id, how, packed)
            destination.progress.advance(layer.digest, -shown)  # now it travels
            open_fd = partial(os.dup, fd)
            from pod.image.upload import Content

            destination.put_blob(Content(packed.digest, packed.size, open_fd, layer.digest))
        finally:
            os.close(fd)
        self.became[layer.digest] = packed_layer(layer, packed, compression, self._family)
