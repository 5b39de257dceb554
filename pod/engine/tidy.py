"""What killed commands have left behind, cleaned up by the next one.

Every command that has looked at the database ends with this. When there is nothing to do, which is nearly always, it
costs a few directory listings. What another command is working on is locked, and left alone.
"""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError
from pod.state import summaries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.base.locks import FileLock
    from pod.engine.context import Engine

_LOCK_PREFIX = "container-"
_HOLD_PREFIX = "hold-"
_VOLUME_PREFIX = "volume-"
_PROJECT_PREFIX = "project-"


def tidy(engine: Engine) -> None:
    """Record ends that nobody recorded, and remove what belongs to no container. Never raises."""
    try:
        _tidy(engine)
    except (PodError, OSError) as error:
        log.debug(f"not everything that was left behind could be removed: {error}")


def _tidy(engine: Engine) -> None:
    paths = engine.paths
    known = summaries.ids_by_status(engine.database)
    active = {one for one, status in known.items() if status == "active"}
    seen, engine.seen_running = engine.seen_running, set()
    for container_id in active - seen:
        from pod.base import locks
        from pod.spec.monitor import LOCK_FILE, PAUSED_FILE

        if not locks.is_held(f"{paths.run(container_id)}/{LOCK_FILE}"):
            from pod.engine import finish  # heavy, and rarely needed, as everywhere below
            from pod.state import containers

            for container in containers.by_ids(engine.database, [container_id]):
                finish.refresh(engine, container)
        elif os.path.exists(f"{paths.run(container_id)}/{PAUSED_FILE}"):
            from pod.engine import pause

            pause.unpause_for_killed(engine, container_id)
    lock_names = _names(paths.locks)
    runs = _names(paths.run_containers)
    for container_id in runs & {one for one, status in known.items() if status != "active"}:
        _remove_old_run(engine, container_id)
    orphans = _names(paths.containers) | runs
    orphans |= {
        name.removeprefix(_LOCK_PREFIX) for name in lock_names if name.startswith(_LOCK_PREFIX)
    }
    for container_id in orphans - known.keys():
        from pod.base import ids

        if ids.is_id(
            container_id
        ):  # else it is not ours: `--root ~/.local/share` is where podman's containers are
            _remove_orphan(engine, container_id)
    # Whoever makes or removes a volume has its lock, so that directories of others are not looked at.
    locked = {
        name.removeprefix(_VOLUME_PREFIX) for name in lock_names if name.startswith(_VOLUME_PREFIX)
    }
    if locked:
        from pod.state import volumes

        for name in locked - volumes.names(engine.database):
            _remove_volume(engine, name)
    if _may_be_lost(f"{paths.runroot}/networks"):
        from pod.engine import network_connect

        network_connect.clear_up(engine)
    if _names(f"{paths.runroot}/builds"):
        from pod.engine import build_leftovers

        build_leftovers.clear_up(engine)
    for name in lock_names:
        if name.startswith(_PROJECT_PREFIX):
            _remove_lock(f"{paths.locks}/{name}")
    was_killed = any(name.startswith(_HOLD_PREFIX) for name in lock_names)
    if was_killed or _names(f"{paths.root}/staging") or _names(f"{paths.root}/trash"):
        engine.store.tidy()


def _may_be_lost(directory: str) -> bool:
    """Whether what holds the networks, or connects them with the world, is not there though it should be."""
    from pod.base.paths import HOLDER_LOST, HOLDER_PASTA, HOLDER_SOCKET

    names = _names(directory)
    if HOLDER_SOCKET not in names or HOLDER_LOST in names:
        return not names.isdisjoint({HOLDER_SOCKET, HOLDER_PASTA})
    from pod.linux import sockets

    try:
        sockets.connect(directory, HOLDER_SOCKET).close()
    except OSError:
        return True
    return False


def _remove_lock(path: str) -> None:
    """Remove the lock file of a command that was killed, unless another one has it."""
    from pod.base import locks

    lock = locks.FileLock(path)
    try:
        lock.acquire(wait=False)
    except locks.Busy:
        return
    lock.remove()


def _locked(engine: Engine, container_id: str, do: Callable[[FileLock], None]) -> None:
    """Call `do` under the lock of a container, unless another command has it."""
    from pod.base import locks

    lock = locks.FileLock(engine.paths.container_lock(container_id))
    try:
        lock.acquire(wait=False)
    except locks.Busy:
        return
    try:
        do(lock)
    finally:
        lock.release()


def _remove_old_run(engine: Engine, container_id: str) -> None:
    """Remove the run directory of a container whose end is recorded, unless it is about to start again."""
    from pod.engine import finish
    from pod.state import containers

    def remove(lock: FileLock) -> None:
        rows = containers.by_ids(engine.database, [container_id])
        if not rows:
            lock.remove()
        elif rows[0].status != "active":
            finish.remove_run_directory(engine, container_id)

    _locked(engine, container_id, remove)


def _remove_orphan(engine: Engine, container_id: str) -> None:
    """Remove the files of a container that has no row, unless some command is about to give it one."""
    from pod.engine import finish
    from pod.engine import volumes as engine_volumes
    from pod.state import containers, reconcile

    def remove(lock: FileLock) -> None:
        if containers.by_ids(engine.database, [container_id]):
            return
        run = reconcile.read_run(engine.paths.run(container_id))
        if run.is_alive:
            return  # the monitor of a container that has just been removed says good-bye
        if run.condition == "lost":
            finish.clean_up_after_lost_monitor(engine.paths.run(container_id), run.state)
        log.info(f"removing what was left of container {container_id[:12]}")
        finish.remove_run_directory(engine, container_id)
        directory = engine.paths.container(container_id)
        engine_volumes.remove_made(engine, directory)
        engine.store.staging.discard(directory)
        lock.remove()

    _locked(engine, container_id, remove)


def _remove_volume(engine: Engine, name: str) -> None:
    from pod.engine import volumes as engine_volumes

    engine_volumes.remove_abandoned(engine, name)


def _names(directory: str) -> set[str]:
    try:
        return set(os.listdir(directory))
    except FileNotFoundError:
        return set()
