"""`pod system prune`: remove everything that is not in use, and tell how much space that gave back."""

from __future__ import annotations

import os

from pod.base.records import Record
from pod.engine import df, image_prune, leftovers, prune, volume_remove
from pod.engine.free_space import FreeSpace
from pod.engine.image_filters import Filters as ImageFilters
from pod.engine.volume_list import Filters as VolumeFilters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.engine.filters import Filters


class Pruned(Record):
    """Ids and names of what was removed, and the bytes that it took on the disk."""

    pods: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    reclaimed_bytes: int = 0


class Choice(Record):
    """What to prune. `filters` are as typed: label=, label!= and until=."""

    all_images: bool = False
    with_volumes: bool = False
    only_leftovers: bool = False
    filters: tuple[str, ...] = ()
    until_free_bytes: int | None = None
    """Remove no more than is necessary for so much free space; images with names, too."""


def system_prune(engine: Engine, choice: Choice) -> Pruned:
    """Remove leftovers, stopped containers, images without name or user, volumes if chosen, networks, in this order.

    Trees are deleted before it returns, so that the space is free then. Call with a single thread. Raises UsageError
    for wrong filters, before anything is removed.
    """
    chosen = prune.filters(choice.filters)
    images = ImageFilters(engine, choice.filters)
    volumes = VolumeFilters(engine, choice.filters)
    if not os.path.isdir(engine.paths.root):
        return Pruned()
    space = None
    if choice.until_free_bytes is not None:
        space = FreeSpace(engine, choice.until_free_bytes)
        if space.is_enough():
            return Pruned()
    before = _total(engine)
    # First, since everything else writes a little, which a full disk does not allow.
    left = _remove_leftovers(engine, choice)
    removed_pods: list[str] = []
    removed_containers: list[str] = []
    removed_volumes: list[str] = []
    removed_images: list[str] = []
    removed_networks: list[str] = []
    if not choice.only_leftovers:
        if not choice.filters and space is None:
            removed_pods = _remove_pods(engine)
        removed_containers = _remove_containers(engine, chosen, space)
        everything = choice.all_images or space is not None
        removed_images = image_prune.prune(engine, images, everything=everything, space=space)
        if choice.with_volumes and not (space is not None and space.is_enough()):
            removed_volumes = [name for name, _ in volume_remove.prune(engine, volumes)]
        if space is None:
            removed_networks = _remove_networks(engine, choice)
        _remove_leftovers(engine, choice)
    return Pruned(
        pods=tuple(removed_pods),
        containers=tuple(removed_containers),
        volumes=tuple(removed_volumes),
        images=tuple(removed_images),
        networks=tuple(removed_networks),
        leftovers=tuple(left),
        reclaimed_bytes=max(before - _total(engine), 0),
    )


def _remove_pods(engine: Engine) -> list[str]:
    """Those whose containers have ended, with these."""
    from pod.state import pods

    if not pods.names(engine.database):
        return []
    from pod.engine import pod_remove

    return [pod.id for pod in pod_remove.prune(engine)]


def _remove_containers(engine: Engine, chosen: Filters, space: FreeSpace | None) -> list[str]:
    """Those that do not run; with `space` only until there is enough, those that ended first, first."""
    removed = []
    for container_id in prune.stopped(engine, chosen):
        if space is not None and space.is_enough():
            break
        if prune.remove_if_stopped(engine, container_id):
            removed.append(container_id)
            if space is not None:
                space.collect()
    return removed


def _remove_networks(engine: Engine, choice: Choice) -> list[str]:
    """Those that no container is on."""
    from pod.engine import network_list, networks

    return networks.prune(engine, network_list.Filters(engine, choice.filters))


def _remove_leftovers(engine: Engine, choice: Choice) -> list[str]:
    """The paths of what was removed; interrupted downloads, too, unless there are filters, which know no downloads."""
    left = [leftover.path for leftover in leftovers.remove(engine)]
    if not choice.filters:
        blobs = engine.store.blobs
        downloads = [path for path, _ in blobs.partials()]
        blobs.sweep()
        left += [path for path in downloads if not os.path.exists(path)]
    engine.close()
    engine.store.staging.empty_trash()
    return list(dict.fromkeys(left))


def _total(engine: Engine) -> int:
    """What the root directory takes on the disk."""
    return sum(row.bytes for row in df.measure(engine).rows())
