"""What nothing needs any more: what killed commands have left, and what waits to be deleted.

A thing without a row may be one that another command is just making; whoever makes it holds its lock.
"""

from __future__ import annotations

import os

from pod.base import ids, locks
from pod.base.records import Record
from pod.state import containers, volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine

CONTAINER, VOLUME, STORE = "container", "volume", "store"


class Leftover(Record):
    """A path that can go, and why it is there. One of a container or volume also has its id or name."""

    path: str
    what: str
    kind: str = STORE
    name: str = ""


def find(engine: Engine) -> list[Leftover]:
    """Leftovers that take disk space: blobs, layers, trees, directories without a row."""
    store = engine.store
    garbage = store.garbage()
    found = [
        Leftover(store.blobs.path(digest), "a blob that no image needs") for digest in garbage.blobs
    ]
    found += [
        Leftover(store.layers.path(diff_id), "a layer that no image or container needs")
        for diff_id in garbage.layers
    ]
    found += [
        Leftover(f"{store.layers.directory}/{name}", "a layer that no image or container needs")
        for name in garbage.forms
    ]
    found += [Leftover(path, "what a killed command has left") for path in garbage.debris]
    found += [
        Leftover(path, "what a killed command was making") for path in store.staging.abandoned()
    ]
    found += [Leftover(path, "it waits to be deleted") for path in store.staging.trash()]
    return found + without_row(engine)


def without_row(engine: Engine) -> list[Leftover]:
    """Directories of containers and volumes that the database does not know and that nobody is making."""
    # Directories first, rows last: what is complete by the time its row is asked for is not taken for a leftover.
    container_names = [name for name in _names(engine.paths.containers) if ids.is_id(name)]
    volume_names = engine.store.volumes.list()
    known_containers = {container.id for container in containers.all_of(engine.database)}
    known_volumes = {volume.name for volume in volumes.all_of(engine.database)}
    found = []
    for name in container_names:
        if name not in known_containers and not locks.is_held(engine.paths.container_lock(name)):
            what = "the directory of a container that does not exist"
            found.append(Leftover(engine.paths.container(name), what, CONTAINER, name))
    for name in volume_names:
        if name not in known_volumes and not locks.is_held(engine.paths.volume_lock(name)):
            path = os.path.dirname(engine.store.volumes.path(name))
            what = "the directory of a volume that does not exist"
            found.append(Leftover(path, what, VOLUME, name))
    return found


def under_construction(engine: Engine) -> list[str]:
    """Trees that running commands are making."""
    staging = f"{engine.paths.root}/staging"
    abandoned = set(engine.store.staging.abandoned())
    paths = [f"{staging}/{name}" for name in _names(staging) if not name.endswith(".lock")]
    return [path for path in paths if path not in abandoned]


def remove(engine: Engine) -> list[Leftover]:
    """Remove all of it; trees go to the trash, which the caller empties. What was removed.

    Call with a single thread.
    """
    found = find(engine)
    for leftover in found:
        if leftover.kind in (CONTAINER, VOLUME):
            _remove_directory(engine, leftover)
    engine.store.delete_unreferenced()
    engine.store.staging.sweep()
    return found


def _remove_directory(engine: Engine, leftover: Leftover) -> None:
    lock = locks.FileLock(_lock_of(engine, leftover))
    try:
        lock.acquire(wait=False)
    except locks.Busy:
        return  # somebody is making it at this moment
    if _has_row(engine, leftover):
        lock.release()
        return
    engine.store.staging.discard(leftover.path)
    lock.remove()


def _has_row(engine: Engine, leftover: Leftover) -> bool:
    """Whether it has become part of something since it was found; the caller holds its lock."""
    if leftover.kind == CONTAINER:
        return bool(containers.by_ids(engine.database, [leftover.name]))
    return volumes.get(engine.database, leftover.name) is not None


def _lock_of(engine: Engine, leftover: Leftover) -> str:
    if leftover.kind == CONTAINER:
        return engine.paths.container_lock(leftover.name)
    return engine.paths.volume_lock(leftover.name)


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
