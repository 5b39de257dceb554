"""Volumes: made, listed, removed, and prepared for a container that mounts them."""

from __future__ import annotations

import os
import time

from pod.base import ids, locks, paths
from pod.base.errors import InvalidValue, PodError
from pod.linux import idmap
from pod.state import volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pod.base.undo import Undo
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.spec.mounts import Mount
    from pod.state.volumes import Volume

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


def create(
    engine: Engine,
    name: str = "",
    *,
    labels: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    owner: tuple[int, int] = (0, 0),
    ignore: bool = False,
    anonymous: bool = False,
) -> Volume:
    """Make a volume: its directory first, its row last. With `ignore`, one that exists already is fine.

    `owner` are ids as containers see them. Raises VolumeTaken.
    """
    name = name or ids.new_id()
    check_name(name)
    with _locked(engine, name):
        existing = volumes.get(engine.database, name)
        if existing is not None:
            if ignore:
                return existing
            raise volumes.VolumeTaken(name)
        if engine.store.volumes.has(name):
            engine.store.volumes.remove(name)  # what a crash left between directory and row
        path = engine.store.volumes.create(name)
        if owner != (0, 0):
            idmap.run_inside(
                lambda: os.chown(path, *owner), what="give the volume to its owner", namespaces=0
            )
        volume = volumes.Volume(
            name,
            time.time_ns(),
            anonymous=anonymous,
            labels=dict(labels or {}),
            options=dict(options or {}),
            uid=owner[0],
            gid=owner[1],
        )
        try:
            volumes.create(engine.database, volume)
        except BaseException:
            engine.store.volumes.remove(name)
            raise
        return volume


def remove(engine: Engine, name: str) -> None:
    """Remove a volume: its row first, its directory last. Raises VolumeInUse, NoSuchVolume."""
    with _locked(engine, name) as lock:
        if volumes.get(engine.database, name) is None:
            raise volumes.NoSuchVolume(name)
        volumes.remove(engine.database, name)
        if engine.store.volumes.has(name):
            engine.store.volumes.remove(name)
        lock.remove()


def check_name(name: str) -> None:
    """Raise InvalidValue unless a volume can have this name."""
    if not name or not name[0].isalnum() or not name.isascii() or set(name) - _NAME_CHARACTERS:
        raise InvalidValue(
            "volume name",
            name,
            "letters, digits, '_', '.' and '-', beginning with a letter or digit",
        )


def _locked(engine: Engine, name: str) -> locks.FileLock:
    paths.make_private(engine.paths.locks)
    return locks.FileLock(engine.paths.volume_lock(name))


def prepare(engine: Engine, config: ContainerConfig, directory: str, undo: Undo) -> ContainerConfig:
    """Make the volumes that the container's mounts need and check the other sources; names and paths filled in.

    `directory` is the container's, with its root file system. What is made is taken back by `undo`.
    """
    mounts: list[Mount] = []
    layers = (config.rootfs,) if config.rootfs else engine.rootfs.layers(directory)
    for mount in config.mounts:
        if mount.kind == "volume":
            mounts.append(_prepare_volume(engine, mount, layers, undo))
        elif mount.kind == "bind":
            mounts.append(_prepare_bind(mount))
        elif mount.kind == "image":
            from pod.engine import images

            mounts.append(mount.replace(source=images.find(engine, mount.source).id))
        elif mount.kind == "glob":
            mounts += _expand_glob(mount)
        else:
            mounts.append(mount)
    names = tuple(dict.fromkeys(mount.source for mount in mounts if mount.kind == "volume"))
    unnamed = {
        mount.target for mount in config.mounts if mount.kind == "volume" and not mount.source
    }
    anonymous = tuple(mount.source for mount in mounts if mount.target in unnamed)
    return config.replace(mounts=tuple(mounts), volumes=names, anonymous_volumes=anonymous)


def _prepare_volume(engine: Engine, mount: Mount, layers: tuple[str, ...], undo: Undo) -> Mount:
    name = mount.source
    if not name or volumes.get(engine.database, name) is None:
        volume = create(engine, name, anonymous=not name, ignore=True)
        if not name:
            undo.add(lambda: remove(engine, volume.name))
        mount = mount.replace(source=volume.name)
    volume = volumes.find_exactly(engine.database, mount.source)
    if volume.needs_copy_up and mount.copy and not mount.subpath:
        with _locked(engine, volume.name):
            engine.store.volumes.copy_up(volume.name, layers, mount.target)
            volumes.update(engine.database, volume.replace(needs_copy_up=False))
    return mount


def _prepare_bind(mount: Mount) -> Mount:
    source = os.path.abspath(os.path.expanduser(mount.source))
    if mount.dereference:
        source = os.path.realpath(source)
    if not os.path.lexists(source):
        raise PodError(
            f"'{mount.source}' cannot be mounted on '{mount.target}': there is no such file or directory",
            hint=f"mkdir -p '{source}'",
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
