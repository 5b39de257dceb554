"""`pod system check`: is everything consistent? And making it so where it is not.

`storage/check.py` looks at images, layers and root file systems; here are the database against the directories, and
what outlives a killed monitor: run directories, processes, cgroups, lock files. Other commands may be working
meanwhile, so what is found counts only when it is found again a moment later.
"""

from __future__ import annotations

import os

from pod.base import locks, log
from pod.base.errors import PodError
from pod.engine import finish, leftovers, lookup, secrets, tidy
from pod.linux import cgroups, processes
from pod.state import containers, reconcile, volumes
from storage import check as storage_check
from storage.check import BLOB, CHANGED, CONTAINER, INDEX, LEFTOVER, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pod.engine.context import Engine
    from storage.check import Fetch

ROW = "row without files"
DIRECTORY = "directory without row"
RUN = "run without container"
CGROUP = "cgroup without container"
LOCK = "lock file without object"

_CGROUP_PREFIX = "pod-"
_LOCK_PREFIXES = ("container-", "volume-")
_BACKGROUND = ("trash-working", "trash-waiting")


def find_problems(
    engine: Engine, *, quick: bool = False, full: bool = False, max_age_ns: int = 0
) -> list[Problem]:
    """Everything that is not as it should be. `quick` does not read blobs and layers, `full` reads all files of layers.

    Blobs and layers that no image needs are left out when they are younger than `max_age_ns`: an interrupted pull has
    left them, and the next one goes on with them. Call with a single thread.
    """
    if not os.path.isdir(engine.paths.root):
        return []
    tidy.tidy(engine)  # what any command would clear up is no problem
    engine.close()
    engine.store.restore_after_cut()  # nor is what any command would unpack again
    try:
        engine.store.staging.empty_trash()  # a process behind a command was killed before it had done so
    except OSError as error:
        log.debug(f"the trash cannot be emptied: {error}")
    first = list(_look(engine, quick=quick, full=full))
    if not first:
        return []
    again = {(problem.kind, problem.subject) for problem in _look(engine, quick=True)}
    return [
        problem
        for problem in first
        if (_is_seen_by_reading(engine, problem) or (problem.kind, problem.subject) in again)
        and not _is_young(engine, problem, max_age_ns)
    ]


def repair(engine: Engine, problems: list[Problem], *, force: bool = False) -> list[Problem]:
    """Do what can be done; what is left. Containers and images that cannot be mended are removed only with `force`.

    Damaged blobs are fetched again from where their images came, and layers unpacked again from their blobs.
    """
    ours = {ROW, DIRECTORY, RUN, CGROUP, LOCK, CONTAINER}
    left = []
    for problem in problems:
        if problem.kind == CGROUP:
            cgroups.remove_with_processes(problem.subject)
        elif problem.kind == RUN:
            _remove_run(engine, problem.subject)
        elif problem.kind == LOCK:
            _remove_lock(engine, problem.subject)
        elif problem.kind in (ROW, CONTAINER):
            left += _remove_damaged(engine, problem, force=force)
    busy = _layers_in_use(engine)
    engine.close()
    of_store = [it for it in problems if it.kind not in ours]
    if of_store:
        left += storage_check.repair(
            engine.store, of_store, fetch=_fetcher(engine), busy=busy, remove_images=force
        )
    leftovers.remove(engine)
    engine.close()
    engine.store.staging.empty_trash()
    return left


def _is_seen_by_reading(engine: Engine, problem: Problem) -> bool:
    """Whether a second look, which is quick, cannot see it: wrong content of something that is still there."""
    store = engine.store
    if problem.kind == BLOB:
        return store.blobs.has(problem.subject)
    return problem.kind == INDEX or (problem.kind == CHANGED and store.layers.has(problem.subject))


def _fetcher(engine: Engine) -> Fetch:
    """How blobs are got again."""

    def fetch(digest: str, names: tuple[str, ...], damaged: Collection[str]) -> None:
        from pod.engine import registry_access
        from pod.engine.images import PullOptions
        from pod.image.progress import Silence
        from pod.image.refetch import fetch_again

        access = registry_access.access(engine, PullOptions())
        fetch_again(engine.store, digest, names, damaged, access, Silence())

    return fetch


def _layers_in_use(engine: Engine) -> set[str]:
    """The names of the directories of layers that containers with a monitor stand on."""
    found: set[str] = set()
    for container in containers.all_of(engine.database):
        if container.status == "active":
            try:
                found.update(
                    map(
                        os.path.basename, engine.rootfs.layers(engine.paths.container(container.id))
                    )
                )
            except (PodError, KeyError, TypeError):
                continue  # it is damaged itself, or has a root file system of its own
    return found


def _look(engine: Engine, *, quick: bool, full: bool = False) -> Iterator[Problem]:
    trash = f"{engine.paths.root}/trash/"
    deleting = any(locks.is_held(f"{engine.paths.locks}/{name}") for name in _BACKGROUND)
    for problem in storage_check.find_problems(engine.store, quick=quick, full=full):
        if deleting and problem.subject.startswith(trash):
            continue  # a process behind another command's back is at it
        yield problem
    yield from _rows_without_files(engine)
    for leftover in leftovers.without_row(engine):
        yield Problem(DIRECTORY, leftover.path, f"'{leftover.path}' is {leftover.what}")
    yield from _stale_runs(engine)
    yield from _stale_cgroups(engine)
    yield from _stale_locks(engine)


def _rows_without_files(engine: Engine) -> Iterator[Problem]:
    for container in containers.all_of(engine.database):
        directory = engine.paths.container(container.id)
        if not os.path.isdir(directory) and containers.by_ids(engine.database, [container.id]):
            what = f"container '{container.name}' has lost its directory '{directory}'"
            yield Problem(ROW, container.id, what)
    for volume in volumes.all_of(engine.database):
        if not engine.store.volumes.has(volume.name):
            path = engine.store.volumes.path(volume.name)
            what = f"volume '{volume.name}' has lost its directory '{path}'"
            yield Problem(ROW, f"volume {volume.name}", what)
    for kind in ("secret", "config"):
        at = secrets.store(engine, kind)
        for secret in at.problems():
            what = f"{kind} '{secret.name}' has lost its content '{at.directory}/{secret.id}'"
            yield Problem(ROW, f"{kind} {secret.id}", what)


def _stale_runs(engine: Engine) -> Iterator[Problem]:
    """Run directories that belong to no active container."""
    known = {container.id: container for container in containers.all_of(engine.database)}
    for name in _names(engine.paths.run_containers):
        container = known.get(name)
        if container is not None and container.status == "active":
            continue
        run = reconcile.read_run(engine.paths.run(name))
        whose = f"container '{container.name}'" if container else f"a container '{name[:12]}'"
        if run.is_alive and container is None:
            what = f"a monitor runs for {whose} that does not exist"
        elif run.is_alive:
            continue  # it is being started
        else:
            what = f"'{engine.paths.run(name)}' is what a run of {whose} has left"
        is_settled = not locks.is_held(engine.paths.container_lock(name))
        if is_settled and os.path.isdir(engine.paths.run(name)):
            yield Problem(RUN, name, what)


def _stale_cgroups(engine: Engine) -> Iterator[Problem]:
    """Cgroups of containers of this root directory that have no monitor any more."""
    root = cgroups.delegated_root()
    if root is None:
        return
    known = {container.id: container for container in containers.all_of(engine.database)}
    for name in _names(root):
        container_id = name.removeprefix(_CGROUP_PREFIX)
        container = known.get(container_id)
        if container_id == name or container is None:
            continue  # nobody's, or of another root directory
        is_idle = not finish.read_run(engine, container).is_alive
        if is_idle and not locks.is_held(engine.paths.container_lock(container_id)):
            what = f"cgroup '{root}/{name}' is left of container '{container.name}'"
            yield Problem(CGROUP, f"{root}/{name}", what)


def _stale_locks(engine: Engine) -> Iterator[Problem]:
    objects = {f"container-{container.id}" for container in containers.all_of(engine.database)}
    objects |= {f"volume-{volume.name}" for volume in volumes.all_of(engine.database)}
    for name in _names(engine.paths.locks):
        path = f"{engine.paths.locks}/{name}"
        if name.startswith(_LOCK_PREFIXES) and name not in objects and not locks.is_held(path):
            yield Problem(LOCK, path, f"'{path}' is the lock of something that does not exist")


def _is_young(engine: Engine, problem: Problem, max_age_ns: int) -> bool:
    if problem.kind != LEFTOVER or problem.subject.startswith("/"):
        return False
    import time

    store, digest = engine.store, problem.subject
    path = store.blobs.path(digest) if store.blobs.has(digest) else store.layers.path(digest)
    try:
        return time.time_ns() - os.lstat(path).st_ctime_ns < max_age_ns
    except FileNotFoundError:
        return True  # it has just gone


def _remove_run(engine: Engine, container_id: str) -> None:
    run = reconcile.read_run(engine.paths.run(container_id))
    if run.is_alive:
        _end_monitor(engine, container_id)
        run = reconcile.read_run(engine.paths.run(container_id))
    finish.clean_up_after_lost_monitor(engine.paths.run(container_id), run.state)
    finish.remove_run_directory(engine, container_id)


def _end_monitor(engine: Engine, container_id: str) -> None:
    """Kill the process that holds the monitor's lock, found by /proc/locks."""
    from pod.linux import signals
    from pod.spec.monitor import LOCK_FILE

    status = os.stat(f"{engine.paths.run(container_id)}/{LOCK_FILE}")
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with open("/proc/locks", encoding="ascii") as file:
        holders = [int(words[4]) for words in map(str.split, file) if words[5] == device]
    for pid in holders:
        started = processes.start_time(pid)
        if started is not None:
            processes.send_signal(pid, started, signals.SIGKILL)
            processes.wait_until_gone(pid, started)


def _remove_lock(engine: Engine, path: str) -> None:
    lock = locks.FileLock(path)
    try:
        lock.acquire(wait=False)
    except locks.Busy:
        return
    lock.remove()


def _remove_damaged(engine: Engine, problem: Problem, *, force: bool) -> list[Problem]:
    """A container or volume that has lost files; the problem again when it is left."""
    if problem.subject.startswith("volume "):
        _remake_volume(engine, problem.subject.removeprefix("volume "))
        return []
    if not force:
        return [problem]
    kind, _, name = problem.subject.partition(" ")
    if kind in ("secret", "config"):
        secrets.remove(engine, secrets.store(engine, kind).find(name), kind)
        return []
    from pod.engine import remove

    try:
        remove.remove(engine, lookup.container(engine, problem.subject), force=True)
    except PodError as error:
        return [problem.replace(what=f"{problem.what}, and cannot be removed: {error.message}")]
    return []


def _remake_volume(engine: Engine, name: str) -> None:
    """Give a volume an empty directory, since containers need one."""
    from pod.engine import volumes as engine_volumes

    with engine_volumes.locked(engine, name):
        if volumes.get(engine.database, name) is not None and not engine.store.volumes.has(name):
            engine.store.volumes.create(name)


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
