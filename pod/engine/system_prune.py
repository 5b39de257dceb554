"""`pod system prune`: remove everything that is not in use, and tell how much space that gave back."""

from __future__ import annotations

import os

from pod.base.records import Record
from pod.engine import df, image_prune, leftovers, prune, volume_remove
from pod.engine.image_filters import Filters as ImageFilters
from pod.engine.volume_list import Filters as VolumeFilters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine


class Pruned(Record):
    """Ids and names of what was removed, and the bytes that it took on the disk."""

    containers: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    reclaimed_bytes: int = 0


class Choice(Record):
    """What to prune. `filters` are as typed: label=, label!= and until=."""

    all_images: bool = False
    with_volumes: bool = False
    only_leftovers: bool = False
    filters: tuple[str, ...] = ()


def system_prune(engine: Engine, choice: Choice) -> Pruned:
    """Remove stopped containers, images without name or user, volumes if chosen, and leftovers, in this order.

    Trees are deleted before it returns, so that the space is free then. Call with a single thread. Raises UsageError
    for wrong filters, before anything is removed.
    """
    chosen = prune.filters(choice.filters)
    images = ImageFilters(engine, choice.filters)
    volumes = VolumeFilters(engine, choice.filters)
    if not os.path.isdir(engine.paths.root):
        return Pruned()
    before = _total(engine)
    # First, since everything else writes a little, which a full disk does not allow.
    left = _remove_leftovers(engine, choice)
    removed_containers: list[str] = []
    removed_volumes: list[str] = []
    removed_images: list[str] = []
    if not choice.only_leftovers:
        for container_id in prune.stopped(engine, chosen):
            if prune.remove_if_stopped(engine, container_id):
                removed_containers.append(container_id)
        removed_images = image_prune.prune(engine, images, everything=choice.all_images)
        if choice.with_volumes:
            removed_volumes = [name for name, _ in volume_remove.prune(engine, volumes)]
        _remove_leftovers(engine, choice)
    return Pruned(
        containers=tuple(removed_containers),
        volumes=tuple(removed_volumes),
        images=tuple(removed_images),
        leftovers=tuple(dict.fromkeys(it.path for it in left)),
        reclaimed_bytes=max(before - _total(engine), 0),
    )


def _remove_leftovers(engine: Engine, choice: Choice) -> list[leftovers.Leftover]:
    left = leftovers.remove(engine)
    if not choice.filters:
        engine.store.blobs.sweep()
    engine.close()
    engine.store.staging.empty_trash()
    return left


def _total(engine: Engine) -> int:
    """What the root directory takes on the disk."""
    return sum(row.bytes for row in df.measure(engine).rows())
