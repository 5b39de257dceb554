"""Push: copy an image from the store to a registry, or to any other place that a transport names."""

from __future__ import annotations

from pod.base.errors import InvalidValue, PodError, Unsupported, UsageError
from pod.base.records import Record
from pod.engine import images, registry_access
from pod.image import failures, names, packing
from pod.image.packing import Packing
from pod.spec import reference as references
from pod.spec import transport
from pod.state import events
from storage.images import ImageNotFound, ImageRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.image.progress import Progress
    from pod.image.trust.sign import Signing
    from pod.spec.transport import Location


class Pushed(Record):
    """`digest` is that of the manifest at the destination, `id` that of the configuration."""

    id: str
    digest: str


class PackOptions(Record):
    """What was asked about the form of the image at its destination. Nothing is what suits the destination."""

    compression: str = ""  # one of packing.COMPRESSIONS
    level: int | None = None
    force: bool | None = None
    family: str = ""  # one of packing.FAMILIES
    compress: bool = False
    """Compress what is not compressed, for places where that is not usual."""


class NoRegistry(PodError):
    """An image that has only a name of this machine was to be pushed to where its name says."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"image '{text}' has no name in a registry",
            hint=f"pod push {text} REGISTRY/NAMESPACE/NAME",
        )


def push(
    engine: Engine,
    text: str,
    destination: str,
    options: PullOptions,
    form: PackOptions,
    signing: Signing | None = None,
    *,
    platform: str = "",
) -> Pushed:
    """Copy the image that `text` means to `destination`, a location or a name; "" is its own name. Lists go whole.

    With `platform`, of a list the image for it goes alone. With `signing`, the image is signed at its destination, a
    registry. Call with a single thread.
    Raises ImageNotFound, InvalidReference, UsageError, RegistryError, CannotSave, CannotSign, ...
    """
    found = images.find_for(engine, text, platform) if platform else images.find_any(engine, text)
    if found is not None and not isinstance(found, ImageRecord):
        from pod.engine import list_push

        shape = list_push.Shape(form=form, signing=signing)
        return Pushed(found.id, list_push.push(engine, text, destination, options, shape))
    image = found or images.find_named(engine, text)
    target = _target(image, text, destination)
    if signing is not None and target.transport != transport.REGISTRY:
        raise UsageError(f"'{destination}' has no name that could be signed: it is no registry")
    packed = packing_for(engine, target, form)
    progress = registry_access.progress_of(options)
    if target.transport == transport.REGISTRY:
        digest = _to_registry(engine, image, target, options, packed, progress, signing)
    elif target.transport == transport.LOCAL:
        _to_store(engine, image, target, destination, progress)
        digest = image.digest
    else:
        digest = _to_file(engine, image, target, packed, progress)
    event = events.event("image", "push", object_id=image.id, name=str(target))
    engine.events.append(event)
    return Pushed(image.id, digest)


def names_of_all_tags(engine: Engine, text: str) -> list[str]:
    """The names of images and lists here in the repository that `text` means. Raises UsageError, ImageNotFound."""
    given = references.parse(text)
    if given.tag or given.digest:
        raise UsageError(f"--all-tags excludes a tag or digest, as '{text}' has")
    store = engine.store
    known = [name for image in store.images.list() for name in image.names]
    known += [name for record in store.lists.list() for name in record.names]
    for candidate in images.candidates(engine, text):
        repository = references.parse(candidate).name
        found = [
            name for name in known if "@" not in name and references.parse(name).name == repository
        ]
        if found:
            return sorted(found)
    raise ImageNotFound(text)


def _target(image: ImageRecord, text: str, destination: str) -> Location:
    if destination:
        return images.location_of(destination) or transport.Location(
            transport.REGISTRY, reference=destination
        )
    known = images.matching_names(image, text) or image.names
    tagged = [name for name in known if "@" not in name]
    if not known:
        raise NoRegistry(text)
    return transport.Location(transport.REGISTRY, reference=(tagged or known)[0])


def packing_for(engine: Engine, target: Location, form: PackOptions) -> Packing:
    """How layers are packed for this destination. Raises UsageError for what has no effect there."""
    settings = engine.settings.engine
    kind = target.transport
    if kind in (transport.DOCKER_ARCHIVE, transport.LOCAL):
        asked = {
            "--compression-format": bool(form.compression),
            "--compression-level": form.level is not None,
            "--force-compression": bool(form.force),
            "--format": bool(form.family),
            "--compress": form.compress,
        }
        for option, given in asked.items():
            if given:
                raise UsageError(
                    f"{option} has no effect on '{kind}:', which has a form of its own"
                )
    if form.compress and kind != transport.DIRECTORY:
        raise UsageError(f"--compress is for destinations with '{transport.DIRECTORY}:' only")
    if form.family == packing.DOCKER and kind in (transport.OCI_LAYOUT, transport.OCI_ARCHIVE):
        raise UsageError(f"--format {form.family} cannot be in '{kind}:'")
    usual = settings.compression_format or packing.GZIP
    if kind == transport.DIRECTORY and not (form.compress or form.compression):
        usual = ""
    level = form.level
    if level is None and (form.compression or usual) == settings.compression_format:
        level = settings.compression_level
    return packing.check(
        Packing(
            compression=form.compression,
            level=level,
            family=form.family,
            usual=usual,
            force=bool(form.compression) if form.force is None else form.force,
        )
    )


def _to_registry(
    engine: Engine,
    image: ImageRecord,
    target: Location,
    options: PullOptions,
    packed: Packing,
    progress: Progress,
    signing: Signing | None,
) -> str:
    from pod.image.push_image import push_image

    reference = references.parse(target.reference).normalized()
    access = registry_access.access(engine, options, fetches=False)
    signer = None
    if signing is not None:
        from pod.engine.signing import signer_for

        signer = signer_for(engine, signing, reference)
    try:
        return push_image(engine.store, image, reference, access, progress, packed, signer)
    except failures.ConnectionRefused as error:
        if reference.registry == names.LOCAL_REGISTRY:
            error.hint = NoRegistry(target.reference).hint
        raise


def _to_file(
    engine: Engine, image: ImageRecord, target: Location, packed: Packing, progress: Progress
) -> str:
    """Into an archive or a directory, under the name behind the path, or without any."""
    from pod.image import saving
    from pod.image.save import save

    chosen: tuple[str, ...] = ()
    if target.reference and target.transport == transport.DOCKER_ARCHIVE:
        chosen = (references.parse(target.reference).normalized().tagged,)
    elif target.reference:
        chosen = (target.reference,)
    saved = saving.SavedImage(images.with_layers(engine, image), chosen)
    kind = {
        transport.DOCKER_ARCHIVE: saving.DOCKER_ARCHIVE,
        transport.OCI_ARCHIVE: saving.OCI_ARCHIVE,
        transport.OCI_LAYOUT: saving.OCI_DIR,
        transport.DIRECTORY: saving.DOCKER_DIR,
    }[target.transport]
    return save(engine.store, [saved], target.path, progress, kind=kind, packing=packed)


def _to_store(
    engine: Engine, image: ImageRecord, target: Location, destination: str, progress: Progress
) -> None:
    """Into this store under another name, or into the store that stands in brackets: [DRIVER@ROOT]NAME."""
    full = str(names.name_for_new_image(references.parse(target.reference)))
    place = destination.removeprefix(f"{transport.LOCAL}:")
    if not place.startswith("["):
        index_digest = image.index_digests[0] if image.index_digests else None
        engine.store.images.set_name(full, image.descriptor(), index_digest=index_digest)
        return
    from pod.image.archives import copy_to_store
    from storage.store import Store

    inside = place[1:].partition("]")[0]
    driver, at, rest = inside.rpartition("@")
    root = rest.partition("+")[0]
    if not root.startswith("/") or (at and not driver):
        raise InvalidValue("image location", destination, "a store is given as [DRIVER@/ROOT]")
    if "=" in rest or ":" in rest:
        raise Unsupported("options of a store in an image location", "give its root only")
    copy_to_store(engine.store, image, Store(root, driver=driver or None), full, progress)
