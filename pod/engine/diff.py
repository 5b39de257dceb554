"""`pod diff`: what a container has changed, or how two file systems differ; of containers and of images."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.base.records import Record
from pod.engine import files, images
from pod.spec.bundle import INIT_PATH
from pod.state import containers
from storage.images import ImageNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from storage.images import ImageRecord

    Changes = Sequence[tuple[str, str]]

KINDS = ("all", "container", "image")
# What is in every container for the mounts that it gets, and nobody has changed; podman leaves out the same.
_NOT_CHANGES = {
    "/dev",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/mtab",
    "/etc/resolv.conf",
    "/proc",
    "/run",
    "/run/.containerenv",
    "/run/notify",
    "/run/secrets",
    "/sys",
    INIT_PATH,
}


class NothingFound(PodError):
    """Neither a container nor an image has the name."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"no container or image has the name or id '{text}'", hint="pod ps -a, pod images"
        )


class _Tree(Record):
    """A file system: its directories, topmost first, and the mount points in it that are no changes."""

    layers: tuple[str, ...]
    mount_points: tuple[str, ...] = ()
    has_own_map: bool = False


def diff(engine: Engine, text: str, other: str = "", kind: str = "all") -> Changes:
    """(kind, path) of all changes, where the kinds are "A" added, "C" changed and "D" deleted; sorted by path.

    Of a container since it was created, of an image by its topmost layer, or of either against `other`. `kind` says
    among what the first is looked for, one of KINDS. Call with a single thread.

    Raises NothingFound, NoSuchContainer, ImageNotFound.
    """
    is_container = kind == "container" or (kind == "all" and _is_container(engine, text))
    if is_container:
        with files.Held(engine, text) as held:
            mount_points = mount_points_of(held.container.config)
            if not other:
                return _visible(_own_changes(engine, held), mount_points)
            return _compare(engine, _tree_of(engine, held.container), other)
    image = _image(engine, text, kind)
    with engine.store.hold(image.diff_ids):
        layers = engine.rootfs.image_tree(image.diff_ids)
        if other:
            return _compare(engine, _Tree(layers), other)
        engine.close()
        return engine.rootfs.changes_of_layer(layers)


def _is_container(engine: Engine, text: str) -> bool:
    try:
        containers.find(engine.database, text)
    except containers.NoSuchContainer:
        return False
    return True


def _image(engine: Engine, text: str, kind: str = "all") -> ImageRecord:
    try:
        return images.with_layers(engine, images.find(engine, text))
    except ImageNotFound:
        if kind == "image":
            raise
        raise NothingFound(text) from None


def _own_changes(engine: Engine, held: files.Held) -> Changes:
    if held.container.config.rootfs:
        raise PodError(
            f"container '{held.container.name}' runs on the directory '{held.container.config.rootfs}', "
            "and what was in it before is not known",
            hint="give something to compare with",
        )
    engine.close()
    return engine.rootfs.diff(held.directory)


def _tree_of(engine: Engine, container: containers.Container) -> _Tree:
    config, directory = container.config, engine.paths.container(container.id)
    mount_points = mount_points_of(config)
    if config.rootfs:
        return _Tree((config.rootfs,), mount_points)
    rootfs = engine.rootfs
    return _Tree(rootfs.tree(directory), mount_points, rootfs.has_own_map(directory))


def _compare(engine: Engine, tree: _Tree, text: str) -> Changes:
    if _is_container(engine, text):
        # Its lock is not taken: two of them at once could wait for each other.
        other = _tree_of(engine, containers.find(engine.database, text))
        return _changes_between(engine, tree, other)
    image = _image(engine, text)
    with engine.store.hold(image.diff_ids):
        return _changes_between(engine, tree, _Tree(engine.rootfs.image_tree(image.diff_ids)))


def _changes_between(engine: Engine, tree: _Tree, other: _Tree) -> Changes:
    engine.close()
    same_owners = tree.has_own_map == other.has_own_map
    changes = engine.rootfs.compare(tree.layers, other.layers, owners=same_owners)
    return _visible(changes, (*tree.mount_points, *other.mount_points))


def mount_points_of(config: ContainerConfig) -> tuple[str, ...]:
    """Where the container has mounts of its own, normalized."""
    return tuple(os.path.normpath(mount.target) for mount in config.mounts)


def _visible(changes: Changes, mount_points: Iterable[str]) -> Changes:
    """Without mount points, and without directories of the image that have changed for nothing else."""
    hidden = _NOT_CHANGES.union(mount_points)
    shown = [change for change in changes if change[1] not in hidden]
    touched = {os.path.dirname(path) for _, path in changes if path in hidden}
    parents = {os.path.dirname(path) for _, path in shown}
    return [
        (kind, path)
        for kind, path in shown
        if kind != "C" or path not in touched or path in parents
    ]
