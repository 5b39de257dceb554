"""The root file systems of containers: layers below, and a place of their own for what the container writes.

This module keeps what a container stands on (`containers/ID/rootfs.json`) and chooses the driver; the drivers know what
is on disk. The mount is made by the runtime, inside the container's namespaces, from a RootMount.
"""

from __future__ import annotations

import os
import stat

from pod.base import files, log
from pod.linux import idmap
from pod.spec.digest import hex_of
from storage import overlayfs
from storage.drivers import table
from storage.layers import NAME_LENGTH
from storage.root_mount import RootMount, document_of, layer_paths, path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from pod.linux.idmap import IdMap
    from pod.linux.processes import Child
    from storage.drivers.table import Driver
    from storage.store import Store
    from storage.usage import Usage

_SERVING = "fuse-overlayfs"
_MANY_FILES = 8000  # to copy for another id map takes about as many tenths of a second as thousands
_MOST_TEXT = 4 << 20


class RootFileSystems:
    """The root file systems in the container directories of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def driver(self) -> Driver:
        """The driver for new containers: the one that was asked for, or the first that works here.

        Probed once and kept in `storage.json`, until the kernel changes. Raises DriverUnusable.
        """
        return table.choose(self._store.root, self._store.forced_driver)

    def create(
        self,
        directory: str,
        diff_ids: Iterable[str],
        *,
        maps: tuple[IdMap, IdMap] | None = None,
        may_serve: bool = False,
    ) -> RootMount:
        """Make a root file system in the container directory `directory`, which exists, on these layers, base first.

        `maps` is the container's id map where it is not the default one; then layers with other owners may have to be
        made first (mapped.py); with `may_serve`, when that would take long, they are made behind, and this container is
        served by fuse-overlayfs instead. Takes the store's lock while it takes hold of the layers; from then on they
        are not collected until the directory is gone. Call with a single thread. Raises LayerNotFound.
        """
        driver, apart = self.driver(), {}
        if maps is not None:
            diff_ids = list(diff_ids)
            if not (may_serve and driver.name == "overlay" and self._takes_long(diff_ids, maps)):
                return self._create_mapped(driver, directory, diff_ids, maps)
            self._copy_behind(diff_ids, maps)
            driver, apart = table.by_name(_SERVING), {"apart": True}
        names: list[str] = []
        hidden = False
        with self._store.lock():
            for diff_id in reversed(list(diff_ids)):
                record = self._store.layers.record(diff_id)
                if not hidden:
                    names.append(hex_of(diff_id)[:NAME_LENGTH])
                hidden |= record.opaque
            files.write_json(
                path_of(directory),
                {"driver": driver.name, "layers": names, **apart},
                sync=False,
            )
        return driver.create(directory, self._lowers(names)).replace(**apart)

    def _takes_long(self, diff_ids: list[str], maps: tuple[IdMap, IdMap]) -> bool:
        """Whether the copies for this map would keep the caller waiting, and fuse-overlayfs can do without them."""
        from storage import mapped

        missing = mapped.files_to_copy(self._store, diff_ids, maps)
        if missing < _MANY_FILES:
            return False
        why_not = table.by_name(_SERVING).probe(self._store.root)
        if why_not:
            log.info(f"layers are copied before the container starts: {why_not}")
        return not why_not

    def _copy_behind(self, diff_ids: list[str], maps: tuple[IdMap, IdMap]) -> None:
        from storage import behind, mapped

        def copy() -> None:
            with self._store.hold(diff_ids):
                mapped.lowers(self._store, diff_ids, maps)

        behind.start(copy)

    def _create_mapped(
        self, driver: Driver, directory: str, diff_ids: list[str], maps: tuple[IdMap, IdMap]
    ) -> RootMount:
        from storage import mapped

        document: dict[str, Any] = {"driver": driver.name, "diff_ids": diff_ids, "maps": maps}
        with self._store.hold(diff_ids):
            names = mapped.lowers(self._store, diff_ids, maps)
            document["layers"] = names
            with self._store.lock():
                files.write_json(path_of(directory), document, sync=False)
        # Between the copies and the line above nobody collects them: their layers were held.
        root = driver.create(directory, self._lowers(names))
        own = (
            [] if names else ["upper", "root"]
        )  # of an image without layers, which would say whose they are
        if mapped.is_caller_absent(maps):
            # What is the caller's is nobody's there, and closed.
            own.append("work")
            os.chmod(directory, 0o711)
        mapped.give_to_root([f"{directory}/{name}" for name in own], maps)
        return root

    def mapped_layers(self, diff_ids: Iterable[str], maps: tuple[IdMap, IdMap]) -> tuple[str, ...]:
        """The directories, topmost first, that show these layers, base first, in a container with this id map.

        Those that are missing are made. Call with a single thread.
        """
        from storage import mapped

        return tuple(self._lowers(mapped.lowers(self._store, diff_ids, maps)))

    def read_text(self, diff_ids: Iterable[str], directory: str, name: str) -> str:
        """A file of an image, as text, with symbolic links followed on the way to it; "" when there is no such file."""
        layers = self._lowers(hex_of(diff_id)[:NAME_LENGTH] for diff_id in reversed(list(diff_ids)))
        marks = overlayfs.marks_here()
        try:
            return _read_text(layers, marks, directory, name)
        except PermissionError:
            found: str = idmap.run_inside(
                lambda: _read_text(layers, marks, directory, name),
                what=f"read '{directory}/{name}' of an image",
                namespaces=0,
            )
            return found

    def describe(self, directory: str) -> RootMount:
        """How to mount what `create` made in `directory`. Raises NoRootFileSystem.

        Copies of layers for the container's id map that a power cut took are made again. Call with a single thread.
        """
        document = document_of(directory)
        if "maps" in document and not all(map(self._is_here, document["layers"])):
            self.mapped_layers(document["diff_ids"], maps_of(document))
        driver, lowers = self._load(directory)
        return driver.describe(directory, lowers).replace(apart=document.get("apart", False))

    def layers(self, directory: str) -> tuple[str, ...]:
        """The layer directories that a container stands on, topmost first. Raises NoRootFileSystem."""
        return tuple(self._load(directory)[1])

    def changes(self, directory: str) -> str:
        """The directory that has what the container wrote; with the driver "copy", everything."""
        return self._load(directory)[0].changes(directory)

    def diff(self, directory: str) -> Sequence[tuple[str, str]]:
        """What the container has changed: (kind, path) with kinds "A", "C" and "D", a directory before its content."""
        driver, lowers = self._load(directory)
        top, marks, whole = driver.changes(directory), driver.marks(), driver.is_whole

        def work() -> list[tuple[str, str]]:
            from storage import tree

            return tree.diff(top, lowers, marks, whole=whole)

        changes: list[tuple[str, str]] = idmap.run_inside(
            work, what="compare a container with its image", namespaces=0
        )
        return changes

    def tree(self, directory: str) -> tuple[str, ...]:
        """The directories, topmost first, that make the container's whole file system."""
        driver, lowers = self._load(directory)
        return (driver.changes(directory), *([] if driver.is_whole else lowers))

    def has_own_map(self, directory: str) -> bool:
        """Whether the container's id map is not the usual one, so that its files have other owners than its image's."""
        return "maps" in document_of(directory)

    def image_tree(self, diff_ids: Iterable[str]) -> tuple[str, ...]:
        """The directories, topmost first, that make an image of these layers, base first."""
        layers = self._store.layers
        return tuple(layers.path(diff_id) for diff_id in reversed(list(diff_ids)))

    def changes_of_layer(self, layers: Sequence[str]) -> Sequence[tuple[str, str]]:
        """What the first of these directories, topmost first, changes in the tree that the others make; as `diff`."""
        marks = overlayfs.marks_here()

        def work() -> list[tuple[str, str]]:
            from storage import tree

            return tree.diff(layers[0], layers[1:], marks, whole=False)

        changes: list[tuple[str, str]] = (
            idmap.run_inside(work, what="compare a layer with those below it", namespaces=0)
            if layers
            else []
        )
        return changes

    def compare(
        self, layers: Sequence[str], others: Sequence[str], *, owners: bool = True
    ) -> Sequence[tuple[str, str]]:
        """How the tree that the directories `layers` make, topmost first, differs from that of `others`; as `diff`.

        Without `owners`, other owners make no difference: with two id maps they always are others.
        """
        # Files named ".wh.", which fuse-overlayfs writes, are in no other tree.
        marks = overlayfs.marks_here(by_name=True)

        def work() -> list[tuple[str, str]]:
            from storage import tree

            return tree.compare(layers, others, marks, owners=owners)

        changes: list[tuple[str, str]] = idmap.run_inside(
            work, what="compare two file systems", namespaces=0
        )
        return changes

    def start_layer(
        self,
        directory: str,
        out_fd: int,
        *,
        exclude: Iterable[str] = (),
    ) -> Child:
        """Start a child that writes the changes as an uncompressed layer to `out_fd`; the caller takes its result.

        Paths in `exclude` are left out. The caller may close its own copy of `out_fd` at once. Owners are those that
        the container sees, whatever its id map.
        """
        driver, lowers = self._load(directory)
        top, marks, whole = driver.changes(directory), driver.marks(), driver.is_whole
        ids = self._ids(directory)

        def work() -> None:
            from storage import tree

            tree.write_layer(top, lowers, marks, out_fd, whole=whole, exclude=exclude, ids=ids)

        return idmap.start_inside(work, what="write a layer", keep={out_fd}, namespaces=0)

    def start_export(
        self,
        directory: str,
        out_fd: int,
        *,
        exclude: Iterable[str] = (),
    ) -> Child:
        """As start_layer, but write the whole file system of the container, without mounting it."""
        layers, ids = self.tree(directory), self._ids(directory)
        return self._start_export(layers, self._load(directory)[0].marks(), out_fd, exclude, ids)

    def start_export_of(self, directory: str, out_fd: int) -> Child:
        """As start_export, of a plain directory of the host, as --rootfs has it."""
        return self._start_export((directory,), overlayfs.marks_here(), out_fd, (), None)

    def start_export_of_image(self, diff_ids: Iterable[str], out_fd: int) -> Child:
        """As start_export, of an image with these layers, base first."""
        layers = self.image_tree(diff_ids)
        return self._start_export(layers, overlayfs.marks_here(), out_fd, (), None)

    def start_export_of_images(self, images: Mapping[str, Iterable[str]], out_fd: int) -> Child:
        """As start_export_of_image, of several, each in a directory of the name that it has here."""
        trees = [(name, self.image_tree(diff_ids)) for name, diff_ids in images.items()]
        marks = overlayfs.marks_here()

        def work() -> None:
            from storage import tree

            tree.write_trees(trees, marks, out_fd)

        return idmap.start_inside(work, what="write an archive", keep={out_fd}, namespaces=0)

    def _start_export(
        self,
        layers: Sequence[str],
        marks: overlayfs.Marks,
        out_fd: int,
        exclude: Iterable[str],
        ids: tuple[IdMap, IdMap] | None,
    ) -> Child:
        def work() -> None:
            from storage import tree

            tree.write_tree(layers, marks, out_fd, exclude=exclude, ids=ids)

        return idmap.start_inside(work, what="write an archive", keep={out_fd}, namespaces=0)

    def usage(self, directory: str) -> Usage:
        """The disk space of what the container wrote, logs and the like not among it."""
        top = self._load(directory)[0].changes(directory)
        return measure_inside([top])[0]

    def used_layers(self) -> set[str]:
        """The names of the layer directories that any container stands on."""
        used: set[str] = set()
        containers = f"{self._store.root}/containers"
        try:
            names = os.listdir(containers)
        except FileNotFoundError:
            return used
        for name in names:
            try:
                used.update(files.read_json(path_of(f"{containers}/{name}"))["layers"])
            except (FileNotFoundError, NotADirectoryError):
                continue
        return used

    def _ids(self, directory: str) -> tuple[IdMap, IdMap] | None:
        """The container's id map in intermediate ids, where it is not the usual one."""
        document = document_of(directory)
        if "maps" not in document:
            return None
        from pod.spec.userns_maps import relative_map

        (uids, gids), bases = maps_of(document), idmap.default_maps()
        return relative_map(uids, bases[0]), relative_map(gids, bases[1])

    def _is_here(self, name: str) -> bool:
        return "." not in name or self._store.layers.has_form(name)

    def _load(self, directory: str) -> tuple[Driver, list[str]]:
        document = document_of(directory)
        return table.by_name(document["driver"]), self._lowers(document["layers"])

    def _lowers(self, names: Iterable[str]) -> list[str]:
        return layer_paths(self._store.root, list(names))


def _read_text(layers: list[str], marks: overlayfs.Marks, directory: str, name: str) -> str:
    from storage import merged

    with merged.open_merged(layers, marks) as root:
        found = merged.find_directory(root, directory)
        if found is None:
            return ""
        with found:
            item = found.find(name)
            if item is None or not stat.S_ISREG(item.status.st_mode):
                return ""
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=item.fd)
            try:
                return os.read(fd, _MOST_TEXT).decode("utf-8", "surrogateescape")
            finally:
                os.close(fd)


def maps_of(document: dict[str, Any]) -> tuple[IdMap, IdMap]:
    """The id map in what is kept of a container."""
    uids, gids = (tuple((a, b, c) for a, b, c in extents) for extents in document["maps"])
    return uids, gids


def measure_inside(paths: Sequence[str]) -> Sequence[Usage]:
    """The disk space of several trees, whoever owns their files; see usage.measure."""
    from storage import usage

    found: list[tuple[int, int, int]] = idmap.run_inside(
        lambda: [tuple(usage.measure(path).__dict__.values()) for path in paths],
        what="measure disk space",
        namespaces=0,
    )
    return [usage.Usage(*numbers) for numbers in found]
