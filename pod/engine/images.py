"""Images as commands mean them: names as they are typed, and pull policies. How images are fetched is in `pull.py`.

`run` with an image that is here passes through `ensure`, so this module and what it loads then stay small.
"""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from storage.images import ImageNotFound, ImageRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pod.engine.context import Engine
    from pod.image.names import RegistriesConfig
    from pod.image.progress import Progress
    from pod.spec.reference import Reference
    from pod.spec.transport import Location
    from storage.lists import ListRecord

POLICIES = ("always", "missing", "never", "newer")
_ASKING = ("always", "newer")  # those that ask the registry about an image that is here
_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
}  # as images spell them; enough to see that nothing is odd


class PullOptions(Record):
    """How an image that is not here is fetched."""

    policy: str = "missing"  # one of POLICIES
    platform: str = ""  # OS/ARCH[/VARIANT]; "" for this machine's
    authfile: str = ""
    credentials: str = ""  # USER[:PASSWORD]
    certificates: str = ""  # directory
    tls_verify: bool | None = None  # None for what the configuration says
    retries: int | None = None
    retry_delay_ns: int | None = None
    quiet: bool = False
    progress: Callable[[], Progress] | None = (
        None  # made when something is pulled; None for silence
    )
    choose: Callable[[tuple[Reference, ...]], Reference] | None = None
    """Asks the person which of several full names a short one means; None when nobody is there to be asked."""


class NotPulled(ImageNotFound):
    """No local image has this name, and pulling was not allowed."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.message = f"image '{wanted}' is not here, and the pull policy is 'never'"


class OtherPlatform(PodError):
    """The local image is for another platform than the one that was asked for, and pulling was not allowed."""

    def __init__(self, wanted: str, has: str, platform: str) -> None:
        super().__init__(
            f"image '{wanted}' is here for {has}, not for {platform}, and the pull policy is 'never'",
            hint=f"pod pull --platform {platform} {wanted}",
        )


class NotForPlatform(PodError):
    """The local image is for another platform than the one that was asked for."""

    def __init__(self, wanted: str, has: str, platform: str) -> None:
        super().__init__(
            f"image '{wanted}' is here for {has}, not for {platform}",
            hint=f"pod pull --platform {platform} {wanted}",
        )


class AmbiguousName(PodError):
    """Several images have names that end so."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        super().__init__(
            f"'{text}' is the end of the names of several images",
            hint=f"one of {', '.join(sorted(names))}",
        )


def find(engine: Engine, text: str) -> ImageRecord:
    """The local image that `text` means: a name, the end of a name, an id or its beginning.

    Names come before ids. Raises ImageNotFound, AmbiguousName, AmbiguousId, InvalidReference for what can be neither.
    """
    found = find_if_here(engine, text)
    if found is None:
        several = _ending_with(engine, text)
        raise AmbiguousName(text, several) if several else ImageNotFound(text)
    return found


def find_named(engine: Engine, text: str) -> ImageRecord:
    """As `find`, for commands about images that are here, to whom it is no help that one could be pulled."""
    try:
        return find(engine, text)
    except ImageNotFound as error:
        error.hint = "pod images"
        raise


def find_for(engine: Engine, text: str, platform: str = "") -> ImageRecord:
    """As `find`, for `--platform`: of a list the image for it, and an image must be for it. "" is any.

    Raises also NoSuchPlatform, NotHere, NotForPlatform, InvalidValue.
    """
    found = find_if_here(engine, text, platform) or find(engine, text)
    if platform and not _suits(found, platform):
        raise NotForPlatform(text, found.platform, platform)
    return found


def find_whole(engine: Engine, text: str) -> ImageRecord | ListRecord:
    """As `find_named`, for commands that take a list of images as it is."""
    return find_any(engine, text) or find_named(engine, text)


def find_if_here(engine: Engine, text: str, platform: str = "") -> ImageRecord | None:
    """As `find`, but None when there is none. Of a list, the image for the platform, which is usually this machine's.

    Raises AmbiguousId, InvalidReference; NoSuchPlatform, NotHere when the list has no such image, or not here.
    """
    found = find_any(engine, text)
    if found is None or isinstance(found, ImageRecord):
        return found
    from pod.engine.lists import member_for

    return member_for(engine, found, platform)


def find_any(engine: Engine, text: str) -> ImageRecord | ListRecord | None:
    """The image or list of images that `text` means; None when there is none. Raises AmbiguousId, InvalidReference."""
    location = location_of(text)
    if location is not None:
        if location.path:
            return None
        text = location.reference
    images = engine.store.images
    names = candidates(engine, text)
    found = None if "@" in text else images.find_named(names)
    if found is not None:
        return found
    for wanted in (*names, text) if "@" in text else (text,):
        for lookup in (images.lookup, engine.store.lists.lookup):
            try:
                return lookup(wanted)
            except ImageNotFound:
                continue
    ending = _ending_with(engine, text)
    return images.find_named(ending) if len(set(ending.values())) == 1 else None


def _ending_with(engine: Engine, text: str) -> dict[str, str]:
    """The names that end with `text`, "registry.example.com/team/web" for "web", and whose they are.

    None for what has a registry or a digest. As podman finds them, when nothing else fits.
    """
    from pod.spec import reference

    if "@" in text or _can_only_be_id(text) or not reference.parse(text).is_short:
        return {}
    wanted = _last_parts(text)
    return {
        name: digest
        for name, digest in engine.store.images.names()
        if "@" not in name and _last_parts(name).endswith(wanted)
    }


def candidates(engine: Engine, text: str) -> tuple[str, ...]:
    """The full names under which `text` may be a local image, best first; none for what can only be an id.

    Raises InvalidReference.
    """
    from pod.image import names
    from pod.spec import reference

    if _can_only_be_id(text):
        return ()
    parsed = reference.parse(text)
    if not parsed.is_short:
        return (str(parsed.with_default_tag()),)
    return names.local_names(parsed, registries(engine))


def _can_only_be_id(text: str) -> bool:
    digits = text.removeprefix("sha256:")
    return digits != text or (len(text) == 64 and not text.strip("0123456789abcdef"))


def registries(engine: Engine) -> RegistriesConfig:
    """What registries.conf says. Raises ConfigurationError."""
    from pod.engine.configuration_registries import load_registries

    return load_registries(engine.places)


def location_of(text: str) -> Location | None:
    """Where the image is, if `text` begins with a transport. Raises InvalidValue, Unsupported."""
    if ":" not in text:
        return None
    from pod.spec import transport

    return transport.parse(text)


def name_of(image: ImageRecord, text: str) -> str:
    """The full name of the image that a person meant by `text`, or its id when it has none.

    An image may have several; one that was asked for by id or digest gives its first.
    """
    return (matching_names(image, text) or image.names or (image.id,))[0]


def matching_names(image: ImageRecord | ListRecord, text: str) -> list[str]:
    """Those of the image's names that can be meant by `text`, best first; none when that is an id."""
    if text in image.names:
        return [text]
    wanted = _last_parts(text)
    matching = [name for name in image.names if _last_parts(name).endswith(wanted)]
    return sorted(matching, key=lambda name: not name.startswith("localhost/"))


def _last_parts(name: str) -> str:
    """The name with a slash before it and a tag behind it, so that a short one is the end of its full forms."""
    name = name.partition("@")[0].removeprefix("docker.io/")
    tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    return f"/{tagged}"


def ensure(engine: Engine, text: str, options: PullOptions) -> ImageRecord:
    """The image for a new container: the local one, or, as `options.policy` says, the one in its registry.

    `text` may also be a location with a transport (`docker-archive:FILE`). Call with a single thread. Raises what
    `find` and `pull.pull` raise, NotPulled, OtherPlatform.
    """
    location = location_of(text)
    if location is not None and location.path:
        from pod.engine import pull

        return engine.store.images.lookup(pull.pull(engine, text, options).digest)
    local = _usable(engine, text, options)
    if local is None or options.policy in _ASKING:
        from pod.engine import pull, service

        with service.Waiting():
            local = pull.refresh(engine, text, local, options)
    _warn_of_other_platform(local, text, options)
    return with_layers(engine, local)


def is_to_be_fetched(engine: Engine, text: str, options: PullOptions) -> bool:
    """Whether `ensure` would ask a registry, or read an archive. Raises NotPulled, OtherPlatform."""
    location = location_of(text)
    if location is not None and location.path:
        return True
    return _usable(engine, text, options) is None or options.policy in _ASKING


def _usable(engine: Engine, text: str, options: PullOptions) -> ImageRecord | None:
    """The local image, if it is for the platform. Raises NotPulled, OtherPlatform where none may be fetched."""
    local = find_if_here(engine, text, options.platform)
    if local is not None and options.platform and not _suits(local, options.platform):
        if options.policy == "never":
            raise OtherPlatform(text, local.platform, options.platform)
        local = None
    if options.policy == "never" and local is None:
        raise NotPulled(text)
    return local


def with_layers(engine: Engine, image: ImageRecord) -> ImageRecord:
    """The image with all its layers unpacked; those that a power cut took are unpacked again from their blobs."""
    if not all(map(engine.store.layers.has, image.diff_ids)):
        log.info(f"layers of image '{image.id}' are unpacked again")
        engine.store.restore_layers(image)
    return image


def _suits(image: ImageRecord, platform: str) -> bool:
    from pod.image.platform import Platform, parse_platform

    has = Platform(image.os, image.architecture, image.variant)
    return not has.os or parse_platform(platform).rank_of(has) is not None


def _warn_of_other_platform(image: ImageRecord, text: str, options: PullOptions) -> None:
    """A container of such an image needs an emulator, or fails in an odd way."""
    usual = _ARCHITECTURES.get(os.uname().machine)
    if options.platform or not image.os or (image.os, image.architecture) == ("linux", usual):
        return
    from pod.image.platform import Platform, host_platform

    host = host_platform()
    if host.rank_of(Platform(image.os, image.architecture, image.variant)) is None:
        log.warning(f"image '{text}' is for {image.platform}, and this machine is {host}")


def check_policy(policy: str, option: str) -> None:
    """Raise UsageError unless it is one of POLICIES."""
    if policy not in POLICIES:
        raise UsageError(
            f"invalid argument '{policy}' for '{option}': expected is one of {', '.join(POLICIES)}"
        )


def remove(engine: Engine, image_id: str, *, force: bool) -> None:
    """Remove an image that nothing needs any more. Raises what `image_remove.remove` raises."""
    from pod.engine import image_remove

    image_remove.remove(engine, image_id, force=force)
    image_remove.collect(engine)
