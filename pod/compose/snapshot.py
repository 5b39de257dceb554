"""`compose snapshot`: the named volumes of a project as they were, kept under a name, and put back.

A snapshot is a directory `snapshots/PROJECT/NAME` below pod's root: a tree for each volume, and `snapshot.json`. It
appears complete, by one rename. Putting it back prepares all volumes first and then exchanges them one by one; a file
beside the snapshots says so meanwhile, and nothing of the project starts before a restore that was killed is repeated.
"""

from __future__ import annotations

import json
import os
import time

from pod.base import faults, files, paths
from pod.base.records import Record
from pod.compose import identity
from pod.compose.errors import ComposeError
from pod.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pod.base.locks import FileLock
    from pod.compose.resources import Tell
    from pod.engine.context import Engine
    from pod.engine.list import Listed
    from pod.state.volumes import Volume

_DESCRIPTION = "snapshot.json"
_RESTORING = "restoring"


class SnapshotError(ComposeError):
    """A snapshot cannot be made, put back or removed."""


class Snapshot(Record):
    """What is known of one. `volumes` are their rows: name, labels, options, needs_copy_up."""

    name: str
    created_ns: int
    size: int
    volumes: tuple[dict[str, Any], ...]


def save(engine: Engine, project: str, name: str, tell: Tell, *, replace: bool = False) -> None:
    """Keep the volumes of a project, none of whose users may run. Raises SnapshotError."""
    from storage.rootfs import measure_inside
    from storage.volume_copies import copy_trees

    volumes = to_save(engine, project, name, replace=replace)
    target = _path(engine, project, name)
    with _Users(engine, volumes, may_be_paused=True) as users:
        store = engine.store
        engine.close()
        staged = store.staging.create()
        try:
            copies = [(store.volumes.path(it.name), f"{staged.path}/{it.name}") for it in volumes]
            copy_trees(copies)
            faults.step("snapshot: copied")
            size = sum(usage.size for usage in measure_inside([copy for _, copy in copies]))
            made = Snapshot(name, time.time_ns(), size, tuple(_described(it) for it in volumes))
            files.write_atomic(f"{staged.path}/{_DESCRIPTION}", json.dumps(made.to_json()).encode())
            users.check()
            faults.step("snapshot: described")
            if os.path.lexists(target):
                syscalls.renameat2(staged.path, target, syscalls.RENAME_EXCHANGE)
                staged.discard()  # what it was before
            else:
                staged.promote(target)
        except BaseException:
            if os.path.lexists(staged.path):
                staged.discard()
            raise
    store.staging.empty_trash_behind()
    tell("Snapshot", name, "Saved")


def to_save(engine: Engine, project: str, name: str, *, replace: bool) -> list[Volume]:
    """The volumes that a new snapshot gets. Raises SnapshotError."""
    from pod.engine.volumes import check_name

    check_name(name)
    check_restored(engine, project)
    if os.path.lexists(_path(engine, project, name)) and not replace:
        raise SnapshotError(
            f"project '{project}' has a snapshot '{name}' already", hint="--force replaces it"
        )
    volumes = [volume for volume in _volumes(engine, project) if _has_files(volume)]
    if not volumes:
        raise SnapshotError(f"project '{project}' has no volumes", hint="pod compose up --no-start")
    return volumes


def restore(engine: Engine, project: str, name: str, tell: Tell) -> None:
    """Put the volumes back; those that are gone are made again. Raises SnapshotError."""
    from pod.engine import volumes as making
    from pod.state import volumes as rows
    from storage import volume_copies

    snapshot, directory = read(engine, project, name), _path(engine, project, name)
    store = engine.store
    marker = _path(engine, project, _RESTORING)
    known = {volume.name: volume for volume in rows.all_of(engine.database)}
    for described in snapshot.volumes:
        volume = known.get(str(described["name"]))
        if volume is not None and volume.labels.get(identity.PROJECT) != project:
            raise SnapshotError(
                f"there is a volume '{volume.name}', which project '{project}' has not made",
                hint=f"pod volume rm {volume.name}",
            )
    here = [known[str(it["name"])] for it in snapshot.volumes if it["name"] in known]
    with _Users(engine, here, may_be_paused=False):
        for described in snapshot.volumes:
            if described["name"] not in known:
                making.create(
                    engine,
                    str(described["name"]),
                    labels=described["labels"],
                    options=described["options"],
                )
        faults.step("snapshot: volumes made")
        names = [str(described["name"]) for described in snapshot.volumes]
        engine.close()
        for volume_name in names:
            volume_copies.prepare(
                store.staging, store.volumes.path(volume_name), f"{directory}/{volume_name}"
            )
        faults.step("snapshot: prepared")
        files.write_atomic(marker, name.encode())
        for described in snapshot.volumes:
            volume_copies.exchange(store.staging, store.volumes.path(str(described["name"])))
            faults.step("snapshot: one exchanged")
            row = rows.find_exactly(engine.database, str(described["name"]))
            rows.update(
                engine.database, row.replace(needs_copy_up=bool(described["needs_copy_up"]))
            )
            tell("Volume", row.name, "Restored")
        os.unlink(marker)
    engine.close()
    store.staging.empty_trash_behind()
    others = {it.name for it in _volumes(engine, project)} - set(names)
    if others:
        from pod.base import log

        log.warning(f"volumes that the snapshot does not have stay: {', '.join(sorted(others))}")


def remove(engine: Engine, project: str, name: str) -> None:
    """Raises SnapshotError."""
    read(engine, project, name)
    engine.store.staging.discard(_path(engine, project, name))
    try:
        os.rmdir(f"{engine.paths.snapshots}/{project}")
    except OSError:
        pass  # there are others


def all_of(engine: Engine, project: str) -> list[Snapshot]:
    """The snapshots of a project, the oldest first."""
    directory = f"{engine.paths.snapshots}/{project}"
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    found = [read(engine, project, name) for name in names if name != _RESTORING]
    return sorted(found, key=lambda it: it.created_ns)


def check_restored(engine: Engine, project: str) -> None:
    """Raise SnapshotError when a restore was killed: some volumes are as they were, and others as in the snapshot."""
    try:
        with open(_path(engine, project, _RESTORING), encoding="utf-8") as file:
            name = file.read()
    except FileNotFoundError:
        return
    raise SnapshotError(
        f"only a part of the volumes of project '{project}' was restored to the snapshot '{name}'",
        hint=f"pod compose snapshot restore {name}",
    )


def read(engine: Engine, project: str, name: str) -> Snapshot:
    """What a snapshot has. Raises SnapshotError."""
    try:
        with open(f"{_path(engine, project, name)}/{_DESCRIPTION}", encoding="utf-8") as file:
            return Snapshot.from_json(json.load(file))
    except (FileNotFoundError, NotADirectoryError):
        raise SnapshotError(
            f"project '{project}' has no snapshot '{name}'", hint="pod compose snapshot ls"
        ) from None


def _path(engine: Engine, project: str, name: str) -> str:
    return f"{engine.paths.snapshots}/{project}/{name}"


def _volumes(engine: Engine, project: str) -> list[Volume]:
    from pod.state import volumes

    return [
        volume
        for volume in volumes.all_of(engine.database)
        if volume.labels.get(identity.PROJECT) == project
    ]


def _has_files(volume: Volume) -> bool:
    """Whether the files of a volume are pod's to keep; it is said of others that they are not."""
    from pod.base import log
    from pod.spec.volume_options import parse_volume_options

    kind = parse_volume_options(volume.options).kind if volume.options else ""
    if kind in {"tmpfs", "bind"}:
        where = "in memory" if kind == "tmpfs" else f"those of '{volume.options['device']}'"
        log.warning(f"volume '{volume.name}' is not kept: its files are {where}")
        return False
    return True


def _described(volume: Volume) -> dict[str, Any]:
    return {
        "name": volume.name,
        "labels": dict(volume.labels),
        "options": dict(volume.options),
        "needs_copy_up": volume.needs_copy_up,
    }


class _Users:
    """The containers that have these volumes: none runs, and none is started while the context lasts."""

    def __init__(self, engine: Engine, volumes: Sequence[Volume], *, may_be_paused: bool) -> None:
        self._engine = engine
        self._names = {volume.name for volume in volumes}
        self._states = {"paused"} if may_be_paused else set()
        self._locks: list[FileLock] = []

    def __enter__(self) -> _Users:
        from pod.base.locks import FileLock
        from pod.state import containers

        self.check()
        paths.make_private(self._engine.paths.locks)
        try:
            for listed in sorted(self._containers(), key=lambda it: str(it.summary.id)):
                lock = FileLock(self._engine.paths.container_lock(listed.summary.id))
                lock.acquire()
                if containers.by_ids(self._engine.database, [listed.summary.id]):
                    self._locks.append(lock)
                else:
                    lock.remove()  # the container was removed while we waited
            for name in sorted(self._names):
                lock = FileLock(self._engine.paths.volume_lock(name))
                lock.acquire()
                self._locks.append(lock)
            self.check()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for lock in reversed(self._locks):
            lock.release()

    def check(self) -> None:
        """Raise SnapshotError for a container that runs."""
        for listed in self._containers():
            if listed.is_running and listed.state not in self._states:
                also = " or pause" if self._states else ""
                raise SnapshotError(
                    f"container '{listed.summary.name}' has the volumes and is {listed.state}",
                    hint=f"pod compose stop{also}",
                )

    def _containers(self) -> Iterator[Listed]:
        from pod.engine import list as listing
        from pod.state import volumes

        users = volumes.users(self._engine.database)
        ids = {user for name in self._names for user in users.get(name, ())}
        for listed in listing.containers(self._engine, everything=True):
            if listed.summary.id in ids or listed.summary.name in ids:
                yield listed
