"""Push: bring an image from the store to a registry, or to any other place that a transport names."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.base.records import Record
from pod.engine import images, pull
from pod.image.push import connect, content_of, push_as_it_is
from pod.spec import reference as references
from pod.spec import transport
from pod.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.image.progress import Progress
    from pod.image.trust.sign import Signer, Signing
    from pod.spec.reference import Reference
    from storage.images import ImageRecord


class Pushed(Record):
    """`digest` is that of the manifest at the destination, `id` that of the configuration."""

    id: str
    digest: str


def push(
    engine: Engine,
    text: str,
    destination: str,
    options: PullOptions,
    signing: Signing | None = None,
) -> Pushed:
    """Copy the image that `text` means to `destination`, a location or a name; "" is its own name.

    With `signing`, the image is signed at its destination, a registry. Call with a single thread.
    Raises ImageNotFound, InvalidReference, RegistryError, CannotSave, CannotSign.
    """
    image = images.find_named(engine, text)
    target = _target(image, text, destination)
    if signing is not None and target.path:
        raise UsageError(f"'{destination}' has no name that could be signed: it is no registry")
    progress = pull.progress_of(options)
    digest = _push(engine, image, target, options, progress, signing)
    engine.events.append(
        events.event("image", "push", object_id=image.id, name=destination or text)
    )
    return Pushed(image.id, digest)


def _target(image: ImageRecord, text: str, destination: str) -> transport.Location:
    if not destination:
        return transport.Location(transport.REGISTRY, reference=images.name_of(image, text))
    location = images.location_of(destination)
    return location or transport.Location(transport.REGISTRY, reference=destination)


def _push(
    engine: Engine,
    image: ImageRecord,
    target: transport.Location,
    options: PullOptions,
    progress: Progress,
    signing: Signing | None,
) -> str:
    reference = references.parse(target.reference).normalized()
    access = pull.access(engine, options)
    signer = None if signing is None else signer_for(engine, signing, reference)
    blobs = engine.store.blobs
    held = [image.digest, image.id, *(layer.digest for layer in image.layers)]
    with engine.store.hold(held), connect(reference, access, progress) as destination:
        data = blobs.read(image.digest)
        contents = [content_of(blobs, layer.digest) for layer in image.layers]
        contents.append(content_of(blobs, image.id))
        digest = push_as_it_is(destination, contents, data, image.media_type)
        if signer is not None:
            progress.message("Storing signatures")
            signer.sign(destination, digest)
    progress.message("Writing manifest to image destination")
    return digest


def signer_for(engine: Engine, signing: Signing, reference: Reference) -> Signer:
    """Keys that are ready to sign what is pushed as `reference`. Raises what Signer does, ConfigurationError."""
    from pod.engine.configuration_signatures import load_signatures
    from pod.image.trust.sign import Signer

    return Signer(signing, reference, load_signatures(engine.places))
