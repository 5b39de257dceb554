"""`pod build --all-platforms`: the platforms for which all base images are."""

from __future__ import annotations

from pod.base import log
from pod.base.errors import PodError
from pod.build.dockerfile.stages import SCRATCH
from pod.build.planner import plan
from pod.engine import images, registry_access
from pod.image import whole
from pod.image.document import parse_object
from pod.image.platform import Platform, parse_platform
from pod.image.progress import Silence
from pod.spec import reference as references
from storage.images import ImageRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.build.dockerfile.parser import Dockerfile
    from pod.build.options import BuildOptions
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions

_HINT = "--platform linux/amd64,linux/arm64"


def of_bases(
    engine: Engine, dockerfile: Dockerfile, options: BuildOptions, own: Platform, fetch: PullOptions
) -> tuple[str, ...]:
    """Those that every base image of a stage that is needed has, but for stages with a platform of their own.

    Raises PodError when there is none, or nothing that could be asked.
    """
    planned = plan(dockerfile, options, own, own, shows_platform=False)
    stages = (it.stage for it in planned.needed if not it.stage.platform)
    names = dict.fromkeys(it.base.image for it in stages if it.base.image not in {"", SCRATCH})
    if not names:
        raise PodError(
            "no stage has a base image that could say what all platforms are", hint=_HINT
        )
    found: list[str] | None = None
    for name in names:
        has = _platforms_of(engine, name, fetch)
        log.debug(f"image '{name}' is there for {', '.join(has)}")
        found = has if found is None else [it for it in found if it in has]
    if not found:
        shown = ", ".join(f"'{name}'" for name in names)
        raise PodError(f"there is no platform for which all of {shown} are", hint=_HINT)
    return tuple(dict.fromkeys(found))


def _platforms_of(engine: Engine, name: str, fetch: PullOptions) -> list[str]:
    """The platforms of a local list, of what a registry has by this name, or else of the local image."""
    local = images.find_any(engine, name)
    if local is not None and not isinstance(local, ImageRecord):
        return _in_index(engine.store.blobs.read(local.digest), name)
    try:
        if fetch.policy == "never":
            raise images.NotPulled(name)
        place = references.parse(images.matching_names(local, name)[0] if local else name)
        document = whole.fetch_document(place, registry_access.access(engine, fetch), Silence())
        found = _in_index(document.data, name)
    except (PodError, IndexError) as error:
        if local is None:
            raise
        log.info(f"image '{name}' is taken for what is here: {error}")
        found = []
    if found:
        return found
    if local is None:
        local = images.ensure(engine, name, fetch)
    return [str(parse_platform(str(Platform(local.os, local.architecture, local.variant))))]


def _in_index(data: bytes, name: str) -> list[str]:
    """The platforms of Linux in a list of images; none for an image."""
    found = []
    document: dict[str, Any] = parse_object(data, f"manifest of '{name}'")
    for entry in document.get("manifests") or ():
        has = entry.get("platform") or {}
        if has.get("os") == "linux" and has.get("architecture", "unknown") != "unknown":
            platform = Platform("linux", has["architecture"], has.get("variant") or "")
            found.append(str(parse_platform(str(platform))))
    return found
