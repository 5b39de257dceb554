"""What killed commands have left behind, cleaned up by the next one.

Every command that has looked at the database ends with this. When there is nothing to do, which is nearly always, it
costs a few directory listings. What another command is working on is locked, and left alone.
"""

from __future__ import annotations

import os

from pod.base import locks, log
from pod.base.errors import PodError
from pod.engine import finish
from pod.spec.monitor import LOCK_FILE
from pod.state import containers, reconcile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine

_LOCK_PREFIX = "container-"


def tidy(engine: Engine) -> None:
    """Record ends that nobody recorded, and remove what belongs to no container. Never raises."""
    try:
        _tidy(engine)
    except (PodError, OSError) as error:
        log.debug(f"not everything that was left behind could be removed: {error}")


def _tidy(engine: Engine) -> None:
    paths = engine.paths
    known = containers.ids_by_status(engine.database)
    for container_id in (one for one, status in known.items() if status == "active"):
        if not locks.is_held(f"{paths.run(container_id)}/{LOCK_FILE}"):
            for container in containers.by_ids(engine.database, [container_id]):
                finish.refresh(engine, container)
    orphans = _names(paths.containers) | _names(paths.run_containers)
    orphans |= {
        name.removeprefix(_LOCK_PREFIX)
        for name in _names(paths.locks)
        if name.startswith(_LOCK_PREFIX)
    }
    for container_id in orphans - known.keys():
        _remove_orphan(engine, container_id)
    if _names(f"{paths.root}/staging") or _names(f"{paths.root}/trash"):
        engine.close()  # the process that deletes is a fork
        engine.store.staging.tidy()


def _remove_orphan(engine: Engine, container_id: str) -> None:
    """Remove the files of a container that has no row, unless some command is about to give it one."""
    lock = locks.FileLock(engine.paths.container_lock(container_id))
    try:
        lock.acquire(wait=False)
    except locks.Busy:
        return
    try:
        if containers.by_ids(engine.database, [container_id]):
            return
        run = reconcile.read_run(engine.paths.run(container_id))
        if run.is_alive:
            return  # the monitor of a container that has just been removed says good-bye
        if run.condition == "lost":
            finish.clean_up_after_lost_monitor(engine.paths.run(container_id), run.state)
        log.info(f"removing what was left of container {container_id[:12]}")
        finish.remove_run_directory(engine, container_id)
        engine.store.staging.discard(engine.paths.container(container_id))
        lock.remove()
    finally:
        lock.release()


def _names(directory: str) -> set[str]:
    try:
        return set(os.listdir(directory))
    except FileNotFoundError:
        return set()
