"""Pulling more than one image: all platforms of a name as one list, all tags of a repository."""

from __future__ import annotations

from pod.base import log
from pod.base.errors import PodError, UsageError
from pod.engine import images, pull, registry_access
from pod.engine.pull import Pulled
from pod.image import pull as image_pull
from pod.image import whole
from pod.image.manifest import NotAnImage
from pod.spec import reference as references
from pod.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions


def pull_all_platforms(engine: Engine, text: str, options: PullOptions) -> Pulled:
    """Fetch a list with all its images as they came, so that it can be pushed again with the digest that it has.

    A name that is no list is pulled as the one image that it is, for whatever platform. Call with a single thread.
    Raises as `pull.pull`.
    """
    reference = references.parse(_in_registry(text))
    access, progress = registry_access.access(engine, options), registry_access.progress_of(options)
    try:
        with engine.store.hold() as hold:
            fetched = whole.fetch_whole(
                engine.store,
                reference,
                access,
                progress,
                hold,
                choose=options.choose,
                keeps=lambda found: found.contents.is_list,
            )
            if fetched.contents.is_list:
                record = engine.store.lists.create(
                    fetched.name,
                    fetched.data,
                    fetched.media_type,
                    sources={fetched.digest: fetched.source},
                    replace=True,
                )
                line = events.event("image", "pull", object_id=record.id, name=text)
                engine.events.append(line)
                return Pulled(record.id, record.digest)
    except PodError as error:
        line = events.event("image", "pull-error", name=text, error=error.message)
        engine.events.append(line)
        raise
    return pull.pull(engine, f"docker://{fetched.reference}", options)


def names_of_all_tags(engine: Engine, text: str, options: PullOptions) -> list[str]:
    """The full names, for `pull.pull`, of all tags of a repository. Raises as `pull.pull`."""
    reference = references.parse(_in_registry(text))
    if reference.tag or reference.digest:
        raise UsageError(f"--all-tags excludes a tag or digest, as '{text}' has")
    access, progress = registry_access.access(engine, options), registry_access.progress_of(options)
    full, tags = image_pull.visit(
        reference,
        access,
        progress,
        lambda full, _endpoint, _demand: (full, image_pull.all_tags(full, access, progress)),
        choose=options.choose,
    )
    if not tags:
        raise PodError(f"the repository '{full.name}' has no tags")
    return [f"docker://{full.name}:{tag}" for tag in tags]


def pull_tag(engine: Engine, name: str, options: PullOptions) -> Pulled | None:
    """One of them; None for a signature or another artifact, which has a tag as images have. Raises as `pull.pull`."""
    try:
        return pull.pull(engine, name, options)
    except NotAnImage as error:
        log.info(f"{name}: {error.message}")
        return None


def _in_registry(text: str) -> str:
    location = images.location_of(text)
    if location is None:
        return text
    if location.path or not location.reference or location.transport != "docker":
        raise UsageError(
            f"'{text}' is not in a registry, where alone there are several images of a name"
        )
    return location.reference
