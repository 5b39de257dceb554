"""Remove the images that nothing uses."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import image_list, image_remove
from pod.engine.image_filters import Candidate, Filters
from storage.images import ImageNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.engine.free_space import FreeSpace
    from storage.images import ImageRecord
    from storage.lists import ListRecord

FILTER_KEYS = ("label", "label!", "until", "dangling", "id", "reference")


def unused(
    engine: Engine, filters: Filters | None = None, *, everything: bool = False
) -> list[ImageRecord | ListRecord]:
    """The images, and lists of images, that no container uses and that the filters let through.

    Those with names only with `everything`.
    """
    counts = image_list.user_counts(engine)
    images = engine.store.images.list_all()
    named = {image.id for image in images if image.names}
    return [
        image
        for image in images
        if not counts.get(image.id)
        and (everything or image.id not in named)
        and (filters is None or filters.accept(Candidate(engine, image, lambda: counts)))
    ]


def prune(
    engine: Engine,
    filters: Filters | None = None,
    *,
    everything: bool = False,
    space: FreeSpace | None = None,
) -> list[str]:
    """Remove them; their ids. What is free then stays on the disk until `image_remove.collect` is called.

    With `space` one after the other, those without a name first and then the least recently used, until there is so
    much; what they took is free then.
    """
    images = unused(engine, filters, everything=everything)
    if space is not None:
        images.sort(key=lambda image: (bool(image.names), _last_use_ns(engine, image)))
    removed: list[str] = []
    for image in images:
        if image.id in removed:
            continue  # it had two manifests
        if space is not None and space.is_enough():
            break
        try:
            image_remove.remove(engine, image.id, all_names=True)
        except (image_remove.ImageInUse, ImageNotFound):
            continue  # a container has been made meanwhile, or another command was quicker
        removed.append(image.id)
        if space is not None:
            space.collect()
    return removed


def _last_use_ns(engine: Engine, image: ImageRecord | ListRecord) -> int:
    """When an image, or any image of a list, was last in use."""
    from storage.lists import ListRecord

    store = engine.store
    found = [store.images.last_use_ns(image.id)]
    if isinstance(image, ListRecord):
        try:
            descriptors = image.members()
        except PodError:
            return max(found)  # it is damaged, which is not a matter of prune
        for descriptor in descriptors:
            try:
                member = store.lists.member(image, descriptor)
            except PodError:
                continue  # it is not here, or no image
            found.append(store.images.last_use_ns(member.id))
    return max(found)
