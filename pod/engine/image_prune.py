"""Remove the images that nothing uses."""

from __future__ import annotations

from pod.engine import image_list, image_remove
from pod.engine.image_filters import Candidate, Filters
from storage.images import ImageNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from storage.images import ImageRecord

FILTER_KEYS = ("label", "label!", "until", "dangling", "id", "reference")


def unused(
    engine: Engine, filters: Filters | None = None, *, everything: bool = False
) -> list[ImageRecord]:
    """The images that no container uses and that the filters let through; with names only with `everything`."""
    counts = image_list.user_counts(engine)
    images = engine.store.images.list()
    named = {image.id for image in images if image.names}
    return [
        image
        for image in images
        if not counts.get(image.id)
        and (everything or image.id not in named)
        and (filters is None or filters.accept(Candidate(engine, image, lambda: counts)))
    ]


def prune(engine: Engine, filters: Filters | None = None, *, everything: bool = False) -> list[str]:
    """Remove them; their ids. What is free then stays on the disk until `image_remove.collect` is called."""
    removed: list[str] = []
    for image in unused(engine, filters, everything=everything):
        if image.id in removed:
            continue  # it had two manifests
        try:
            image_remove.remove(engine, image.id, all_names=True)
        except (image_remove.ImageInUse, ImageNotFound):
            continue  # a container has been made meanwhile, or another command was quicker
        removed.append(image.id)
    return removed
