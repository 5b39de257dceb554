"""Volumes: made, listed, removed, and prepared for a container that mounts them."""

from __future__ import annotations

import os
import time

from pod.base import faults, ids, locks, log, paths
from pod.base.errors import InvalidValue, PodError
from pod.linux import idmap
from pod.spec.bundle import is_root
from pod.state import events, volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pod.base.undo import Undo
    from pod.engine.context import Engine
    from pod.linux.idmap import IdMap
    from pod.spec.container import ContainerConfig
    from pod.spec.mounts import Mount
    from pod.state.volumes import Volume

ANONYMOUS_OF_PROJECT = "pod.compose.anonymous-of"
"""Label of anonymous volumes that were made for a container of a compose project."""
_MADE = "volumes"  # in the directory of a container that has no row yet


def create(
    engine: Engine,
    name: str = "",
    *,
    labels: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    owner: tuple[int | None, int | None] = (None, None),
    ignore: bool = False,
    anonymous: bool = False,
) -> Volume:
    """Make a volume: its directory first, its row last. With `ignore`, one that exists already is fine.

    `owner` are ids as containers see them; `options` those of `pod volume create --opt`, see spec/volume_options.py.
    Raises VolumeTaken, InvalidValue, Unsupported.
    """
    name = name or ids.new_id()
    check_name(name)
    copies = True
    if options:
        copies, owner = _read_options(options, owner)
    uid, gid = owner[0] or 0, owner[1] or 0
    with locked(engine, name):
        existing = volumes.get(engine.database, name)
        if existing is not None:
            if ignore:
                return existing
            raise volumes.VolumeTaken(name)
        if engine.store.volumes.has(name):
            engine.store.volumes.remove(name)  # what a crash left between directory and row
        faults.step("volume: locked")
        engine.store.volumes.create(name)
        faults.step("volume: directory")
        volume = volumes.Volume(
            name,
            time.time_ns(),
            anonymous=anonymous,
            labels=dict(labels or {}),
            options=dict(options or {}),
            uid=uid,
            gid=gid,
            has_owner=owner != (None, None),
            needs_copy_up=copies,
        )
        try:
            if volume.has_owner:
                _give_to_owner(engine, volume)
            volumes.create(engine.database, volume)
        except BaseException:
            engine.store.volumes.remove(name)
            raise
        engine.events.append(_event(volume, "create"))
        faults.step("volume: row")
        return volume


def _read_options(
    options: Mapping[str, str], owner: tuple[int | None, int | None]
) -> tuple[bool, tuple[int | None, int | None]]:
    """Whether images fill the volume, and its owner, for which --uid and --gid stand before o=uid and o=gid."""
    from pod.spec.volume_options import parse_volume_options

    parsed = parse_volume_options(options)
    if parsed.kind == "bind" and not os.path.isdir(parsed.device):
        raise PodError(
            f"'{parsed.device}' cannot be a volume: it is not a directory",
            hint=f"mkdir -p '{parsed.device}'",
        )
    if parsed.kind and owner != (None, None):
        raise InvalidValue(
            "--opt", f"type={parsed.kind}", "--uid and --gid are for ordinary volumes"
        )
    uid = parsed.uid if owner[0] is None else owner[0]
    gid = parsed.gid if owner[1] is None else owner[1]
    return parsed.copy and not parsed.kind, (uid, gid)


def _give_to_owner(engine: Engine, volume: Volume) -> None:
    path = engine.store.volumes.path(volume.name)
    if (volume.uid, volume.gid) == (0, 0):
        return
    try:
        idmap.run_inside(
            lambda: os.chown(path, volume.uid, volume.gid),
            what="give the volume to its owner",
            namespaces=0,
        )
    except OSError as error:
        raise PodError(
            f"volume '{volume.name}' cannot belong to {volume.uid}:{volume.gid}: "
            "these ids are not among those that containers of yours can have",
            hint="pod unshare cat /proc/self/uid_map shows how many there are",
        ) from error


def _give_to_user(
    engine: Engine, config: ContainerConfig, volume: Volume, maps: tuple[IdMap, IdMap] | None
) -> None:
    """A new volume where the image has nothing belongs to the user of the container, who could not write it else."""
    if is_root(config.user):
        return
    from pod.engine import userns

    path = engine.store.volumes.path(volume.name)
    user = userns.user_of(engine, config)
    try:
        idmap.run_inside(
            lambda: None if os.listdir(path) else os.chown(path, user.uid, user.gid),
            what="give the volume to the container's user",
            maps=maps,
            namespaces=0,
        )
    except OSError as error:
        log.debug(f"volume '{volume.name}' stays with its owner: {error}")


def _give_to_root(engine: Engine, volume: Volume, maps: tuple[IdMap, IdMap] | None) -> None:
    """An empty volume belongs to the caller; where that is nobody in the container, its root gets it instead."""
    from pod.engine import facts

    if maps is None or not facts.is_caller_absent(maps):
        return
    from storage import mapped

    path = engine.store.volumes.path(volume.name)
    if os.stat(path).st_uid == os.geteuid() and not os.listdir(path):
        mapped.give_to_root([path], maps)


def remove(engine: Engine, name: str) -> None:
    """Remove a volume: its row first, its directory last. Raises VolumeInUse, NoSuchVolume.

    In between the directory is marked, so that the next command may finish the work; one without row and mark stays.
    """
    removal = Removal(engine, [name])
    try:
        if not removal.volumes:
            raise volumes.NoSuchVolume(name)
        volumes.remove(engine.database, name)
    finally:
        removal.finish()


class Removal:
    """Volumes that are about to lose their rows: locked and marked until `finish`, whatever comes in between."""

    def __init__(self, engine: Engine, names: Sequence[str]) -> None:
        self.volumes: list[Volume] = []
        self._engine = engine
        self._locks: dict[str, locks.FileLock] = {}
        for name in sorted(names):
            self._locks[name] = lock = locked(engine, name)
            lock.acquire()
            volume = volumes.get(engine.database, name)
            if volume is not None:
                engine.store.volumes.mark(name)
                self.volumes.append(volume)

    def finish(self) -> None:
        """Remove the directories of those whose rows are gone; the others stay as they are."""
        engine = self._engine
        for volume in self.volumes:
            if volumes.get(engine.database, volume.name) is not None:
                engine.store.volumes.unmark(volume.name)
                continue
            engine.events.append(_event(volume, "remove"))
            faults.step("volume: no row")
            if engine.store.volumes.has(volume.name):
                engine.store.volumes.remove(volume.name)
            faults.step("volume: no directory")
            self._locks[volume.name].remove()
        for lock in self._locks.values():
            lock.release()


def _event(volume: Volume, status: str) -> dict[str, Any]:
    return events.event("volume", status, name=volume.name, attributes=volume.labels)


def remove_abandoned(engine: Engine, name: str) -> None:
    """Finish what a killed command was doing with a volume that has no row: making it or removing it.

    A directory with files that nobody has asked to remove stays, as that of a volume whose row was lost.
    """
    lock = locked(engine, name)
    try:
        lock.acquire(wait=False)
    except locks.Busy:
        return
    try:
        if volumes.get(engine.database, name) is not None:
            return
        if engine.store.volumes.is_abandoned(name):
            engine.store.volumes.remove(name)
        if not os.path.lexists(f"{engine.paths.volumes}/{name}"):
            lock.remove()
    finally:
        lock.release()


def _note_made(directory: str, name: str) -> None:
    """Leave word in the directory of a container that has no row yet of the anonymous volume that it gets."""
    with open(f"{directory}/{_MADE}", "a", encoding="utf-8") as file:
        file.write(f"{name}\n")


def keep_made(directory: str) -> None:
    """The container gets its row: its anonymous volumes stay from now on when its directory is found without one."""
    try:
        os.unlink(f"{directory}/{_MADE}")
    except FileNotFoundError:
        pass


def remove_made(engine: Engine, directory: str) -> None:
    """Remove the anonymous volumes of a container whose making was killed before it had its row."""
    try:
        with open(f"{directory}/{_MADE}", encoding="utf-8") as file:
            names = file.read().split()
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        try:
            remove(engine, name)
        except (volumes.NoSuchVolume, volumes.VolumeInUse) as error:
            log.debug(f"volume '{name}' of a container that was not made: {error}")


def check_name(name: str) -> None:
    """Raise InvalidValue unless a volume can have this name."""
    if not ids.is_name(name):
        raise InvalidValue(
            "volume name",
            name,
            "letters, digits, '_', '.' and '-', beginning with a letter or digit",
        )


def locked(engine: Engine, name: str) -> locks.FileLock:
    """The lock of a volume, to be held while its content or its row changes."""
    paths.make_private(engine.paths.locks)
    return locks.FileLock(engine.paths.volume_lock(name))


def prepare(
    engine: Engine,
    config: ContainerConfig,
    directory: str,
    undo: Undo,
    maps: tuple[IdMap, IdMap] | None,
) -> ContainerConfig:
    """Make the volumes that the container's mounts need and check the other sources; names and paths filled in.

    Volumes that are named in the configuration before belong to the container as well.

    `directory` is the container's, with its root file system, `maps` its id map where it is not the usual one. What is
    made is taken back by `undo`.
    """
    mounts: list[Mount] = []
    used: list[str] = list(config.volumes)
    anonymous: list[str] = list(config.anonymous_volumes)
    layers = (config.rootfs,) if config.rootfs else engine.rootfs.layers(directory)
    for mount in config.mounts:
        if mount.kind == "volume":
            name, prepared = _prepare_volume(engine, config, mount, layers, directory, undo, maps)
            mounts.append(prepared)
            used.append(name)
            if not mount.source:
                anonymous.append(name)
        elif mount.kind == "bind":
            mounts.append(_prepare_bind(mount))
        elif mount.kind == "image":
            from pod.engine import images

            mounts.append(mount.replace(source=images.find(engine, mount.source).id))
        elif mount.kind == "glob":
            mounts += _expand_glob(mount)
        else:
            mounts.append(mount)
    return config.replace(
        mounts=tuple(mounts),
        volumes=tuple(dict.fromkeys(used)),
        anonymous_volumes=tuple(anonymous),
    )


def _labels_of_anonymous(config: ContainerConfig) -> dict[str, str]:
    """By which `compose down --volumes` finds what it had not removed when it was killed, as its container is gone."""
    project = config.labels.get("com.docker.compose.project")
    return {ANONYMOUS_OF_PROJECT: project} if project else {}


def _prepare_volume(
    engine: Engine,
    config: ContainerConfig,
    mount: Mount,
    layers: tuple[str, ...],
    directory: str,
    undo: Undo,
    maps: tuple[IdMap, IdMap] | None,
) -> tuple[str, Mount]:
    """The volume's name, and how it is mounted. One that does not exist is made."""
    is_anonymous = not mount.source
    name = mount.source or ids.new_id()
    if is_anonymous or volumes.get(engine.database, name) is None:
        labels: dict[str, str] = {}
        if is_anonymous:
            _note_made(directory, name)
            labels = _labels_of_anonymous(config)
        volume = create(engine, name, anonymous=is_anonymous, labels=labels, ignore=True)
        if is_anonymous:
            undo.add(lambda: remove(engine, volume.name))
        mount = mount.replace(source=volume.name)
    volume = volumes.find_exactly(engine.database, mount.source)
    if volume.options:
        mount = _with_options(mount, volume)
        if mount.kind != "volume":
            return volume.name, mount
    if volume.needs_copy_up and mount.copy and not mount.subpath:
        with locked(engine, volume.name):
            filled = engine.store.volumes.copy_up(volume.name, layers, mount.target)
            faults.step("volume: filled")
            if not filled:
                _give_to_root(engine, volume, maps)
            if volume.has_owner:
                _give_to_owner(engine, volume)
            elif not filled and not engine.store.volumes.has_place(layers, mount.target):
                _give_to_user(engine, config, volume, maps)
            volumes.update(engine.database, volume.replace(needs_copy_up=False))
    return volume.name, mount


def _with_options(mount: Mount, volume: Volume) -> Mount:
    """The mount that a volume with options stands for: a directory of the host, or a file system in memory."""
    from pod.spec.volume_options import parse_volume_options

    options = parse_volume_options(volume.options)
    if not options.kind:
        return mount
    if mount.subpath:
        raise PodError(
            f"volume '{volume.name}' is mounted with options, so no part of it can be mounted alone"
        )
    words = (*options.flags, *options.data)
    read_only = mount.read_only or options.read_only
    if options.kind == "tmpfs":
        return mount.replace(kind="tmpfs", options=words, read_only=read_only, source="")
    return mount.replace(
        kind="bind",
        source=options.device,
        options=words,
        read_only=read_only,
        recursive=options.recursive,
        copy=False,
    )


def _prepare_bind(mount: Mount) -> Mount:
    source = os.path.abspath(os.path.expanduser(mount.source))
    if mount.dereference:
        source = os.path.realpath(source)
    if not os.path.lexists(source):
        raise PodError(
            f"'{mount.source}' cannot be mounted on '{mount.target}': there is no such file or directory",
            hint=f"mkdir -p '{source}'",
        )
    if mount.chown and os.path.commonpath([source, paths.home()]) == source:
        raise PodError(
            f"'{mount.source}' cannot be given to the container's user: your home directory is in it",
            hint="mount a directory below it, or leave the option U out",
        )
    return mount.replace(source=source)


def _expand_glob(mount: Mount) -> list[Mount]:
    import glob  # heavy

    found = sorted(glob.glob(mount.source))
    if not found:
        raise PodError(f"nothing matches '{mount.source}' of '{mount.origin}'")
    return [
        mount.replace(
            kind="bind",
            source=os.path.realpath(path),
            target=f"{mount.target.rstrip('/')}/{os.path.basename(path)}" if mount.target else path,
        )
        for path in found
    ]


def take_from_others(engine: Engine, config: ContainerConfig) -> ContainerConfig:
    """The mounts of the containers that --volumes-from names, where the container has none of its own."""
    mounts, needs = list(config.mounts), list(config.needs)
    for wanted in config.volumes_from:
        from pod.engine import lookup

        other = lookup.container(engine, wanted.container)
        needs.append(other.id)
        taken = {mount.target for mount in mounts}
        for mount in other.config.mounts:
            if mount.kind in {"volume", "bind"} and mount.target not in taken:
                read_only = mount.read_only if wanted.read_only is None else wanted.read_only
                mounts.append(
                    mount.replace(read_only=read_only, relabel=wanted.relabel or mount.relabel)
                )
    return config.replace(mounts=tuple(mounts), needs=tuple(needs))
