"""Pull: bring an image from a registry, an archive or a directory into the store."""

from __future__ import annotations

from pod.base import log
from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from pod.engine import images
from pod.engine.registry_access import access, progress_of
from pod.spec import reference as references
from pod.spec import transport
from pod.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.image.platform import Platform
    from pod.image.progress import Progress
    from pod.spec.reference import Reference
    from storage.images import ImageRecord


class Pulled(Record):
    """`id` is the digest of the configuration, `digest` that of the manifest."""

    id: str
    digest: str


def pull(engine: Engine, text: str, options: PullOptions) -> Pulled:
    """Fetch an image by its name or its location, whatever is here already; `options.policy` does not count.

    Call with a single thread. Raises InvalidReference, and what `pod.image.pull` and `pod.image.archives` raise.
    """
    try:
        pulled = _fetch(engine, text, options)
    except PodError as error:
        line = events.event("image", "pull-error", name=text, error=error.message)
        engine.events.append(line)
        raise
    engine.events.append(events.event("image", "pull", object_id=pulled.id, name=text))
    return pulled


def _fetch(engine: Engine, text: str, options: PullOptions) -> Pulled:
    location = images.location_of(text)
    progress = progress_of(options)
    if location is None:
        location = _default_location(engine, text)
    if location is not None and location.path:
        return _load(engine, location, options, progress)
    if location is not None:
        if location.transport == transport.LOCAL:
            found = images.find(engine, text)
            return Pulled(found.id, found.digest)
        text = location.reference
    return _pull(engine, references.parse(text), options, progress)


def _default_location(engine: Engine, text: str) -> transport.Location | None:
    """Where a name without a transport is by image_default_transport of containers.conf; None for a registry."""
    prefix = engine.settings.engine.image_default_transport
    if prefix in {"", "docker", "docker:", "docker://"}:
        return None
    return images.location_of(f"{prefix if ':' in prefix else f'{prefix}:'}{text}")


def refresh(
    engine: Engine, text: str, local: ImageRecord | None, options: PullOptions
) -> ImageRecord:
    """Fetch an image that may be here as `local`, by the policies "missing", "always" and "newer"."""
    if local is None:
        return engine.store.images.lookup(pull(engine, text, options).digest)
    matching = images.matching_names(local, text)
    if not matching:
        if options.policy == "newer":
            return local
        raise UsageError(
            f"image '{text}' is given by its id, so the pull policy 'always' has nothing to pull",
            hint="use its name",
        )
    reference = references.parse(matching[0])
    if "@" in text:
        reference = reference.replace(tag="", digest=references.parse(text).digest)
    progress = progress_of(options)
    try:
        if options.policy == "newer":
            from pod.image.pull import remote_digest

            there = remote_digest(reference, access(engine, options), progress)
            if there in (local.digest, *local.index_digests):
                return local
        pulled = _pull(engine, reference, options, progress)
        line = events.event("image", "pull", object_id=pulled.id, name=str(reference))
        engine.events.append(line)
    except PodError as error:
        if options.policy != "newer":
            raise
        # podman-pull(1), --policy: with a local image, errors of "newer" are none.
        log.info(f"'{reference}' stays as it is: {error}")
        return local
    return engine.store.images.lookup(pulled.digest)


def platform_of(options: PullOptions) -> Platform | None:
    """The platform that was asked for."""
    if not options.platform:
        return None
    from pod.image.platform import parse_platform

    return parse_platform(options.platform)


def _pull(engine: Engine, reference: Reference, options: PullOptions, progress: Progress) -> Pulled:
    choice = Choice(options)
    from pod.image.pull import pull as pull_image  # heavy

    pulled = pull_image(
        engine.store,
        reference,
        access(engine, options),
        progress,
        platform=platform_of(options),
        choose=choice.ask,
    )
    choice.record(engine, reference)
    return Pulled(pulled.id, pulled.digest)


class Choice:
    """What a person chooses for a short name; when the image has come, it is an alias, and nobody is asked again."""

    def __init__(self, options: PullOptions) -> None:
        self._options = options
        self._chosen: Reference | None = None

    @property
    def ask(self) -> Callable[[tuple[Reference, ...]], Reference] | None:
        """Asks which of several full names is meant; None when nobody is there to be asked."""
        return self._ask if self._options.choose is not None else None

    def record(self, engine: Engine, reference: Reference) -> None:
        """To be called when what the short `reference` means was found at the place that was chosen."""
        if self._chosen is not None:
            from pod.engine.configuration_aliases import record_alias

            record_alias(engine.places, reference.repository, self._chosen.name)

    def _ask(self, references: tuple[Reference, ...]) -> Reference:
        assert self._options.choose is not None, "there is nobody to be asked"
        self._chosen = self._options.choose(references)
        return self._chosen


def _load(
    engine: Engine, location: transport.Location, options: PullOptions, progress: Progress
) -> Pulled:
    from pod.engine.configuration_registries import load_policy
    from pod.image.archives import load_location

    loaded = load_location(
        engine.store,
        location,
        progress,
        policy=load_policy(engine.places),
        platform=platform_of(options),
    )
    # It may have been here already, with another manifest, under which it stays.
    image = engine.store.images.lookup(loaded.id)
    return Pulled(image.id, image.digest)
