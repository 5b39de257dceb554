"""What the steps of builds have changed, each by the key of everything that it depends on: the cache of `pod build`.

build/KEY32        the tree of a step, once an upper directory of overlay; after it has become a layer of an image a
                   symbolic link to that layer's tree, so that the two share it and whoever has the path finds it
build/KEY32.json   its record, written last: a tree without one does not exist
build/mounts/ID    cache mounts

Trees are neither archives nor have they digests until an image is made of them. As with layers nobody waits for the
disk: a record names the boot in which it was made until a process behind the command has written everything there.
"""

from __future__ import annotations

import os
import time

from pod.base import faults, files, locks
from pod.base.records import Record
from pod.linux.boot import boot_id
from pod.spec.digest import hex_of
from storage.directories import make_private, names, stale_temporaries
from storage.layers import NAME_LENGTH
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from storage.layers import LayerRecord, LayerStore
    from storage.staging import Staging

MOUNTS = "mounts"


class StepRecord(Record):
    """What is known about the result of one step."""

    key: str
    """64 hexadecimal digits."""
    created_ns: int
    """Since 1970; when the step was executed."""
    text: str = ""
    """The instruction, for people."""
    stage: str = ""
    """What names the step among others of the same Dockerfile, so that it can be said what has changed since."""
    inputs: Mapping[str, str] = {}
    """What the key was made of: a word for people -> a digest."""
    tree: bool = False
    """Whether there is a tree; a step that only stands for an image, or has changed nothing, has none."""
    is_linked: bool = False
    """Whether the tree depends on nothing below it (COPY --link), so that it may be above anything."""
    size: int = 0
    """Bytes of its files."""
    diff_id: str = ""
    """Of the layer that it has become."""
    layer_digest: str = ""
    """The digest of the layer's archive, which may be gone."""
    layer_size: int = 0
    layer_type: str = ""
    result: str = ""
    """For a step that stands for an image: the digest of the manifest."""
    boot: str = ""


class StepStore:
    """The cache below `root`."""

    def __init__(self, root: str, staging: Staging, layers: LayerStore) -> None:
        self.directory = f"{root}/build"
        self._root = root
        self._staging = staging
        self._layers = layers

    # Reading

    def find(self, key: str) -> StepRecord | None:
        """The result with this key, if it is here, complete."""
        record = self._read(f"{self._path(key)}.json")
        if record is None or record.key != key:
            return None
        if record.tree and not os.path.isdir(self.tree(key)):
            return None  # the layer that it has become was removed by a crash or by hand
        return record

    def tree(self, key: str) -> str:
        """Where the tree of a step is: here, or among the layers."""
        path = self._path(key)
        try:
            return f"{self._layers.directory}/{os.path.basename(os.readlink(path))}"
        except OSError:
            return path

    def all(self) -> Iterator[StepRecord]:
        """All records, in no order."""
        for name in names(self.directory):
            if name.endswith(".json"):
                record = self._read(f"{self.directory}/{name}")
                if record is not None:
                    yield record

    def last_use_ns(self, key: str) -> int:
        """When a build last took the result."""
        try:
            return os.stat(f"{self._path(key)}.json").st_mtime_ns
        except FileNotFoundError:
            return 0

    def note_use(self, keys: list[str]) -> None:
        """Remember that these were taken now: as the times of their records. That of the content is in the record."""
        now = time.time_ns()
        for key in keys:
            try:
                os.utime(f"{self._path(key)}.json", ns=(now, now))
            except OSError:
                continue  # it only decides what is pruned first

    def used_layers(self) -> set[str]:
        """The names of the layer directories that are trees of steps."""
        return {
            hex_of(record.diff_id)[:NAME_LENGTH]
            for record in self.all()
            if record.tree and record.diff_id
        }

    def debris(self) -> list[str]:
        """The paths below the directory that belong to no record that counts."""
        present = {name for name in names(self.directory) if not name.endswith(".tmp")} - {MOUNTS}
        good = {record.key[:NAME_LENGTH] for record in self.all()}
        return stale_temporaries(self.directory) + [
            f"{self.directory}/{name}"
            for name in sorted(present)
            if name.removesuffix(".json") not in good
        ]

    def may_have_lost(self) -> bool:
        """Whether there are results of an earlier boot that were not on the disk when it ended: they count no more."""
        records = (name for name in names(self.directory) if name.endswith(".json"))
        return any(self._read(f"{self.directory}/{name}") is None for name in records)

    # Cache mounts

    def make_mounts(self) -> str:
        """The directory of cache mounts, which is made if it is missing."""
        path = f"{self.directory}/{MOUNTS}"
        make_private(path)
        return path

    def note_mount(self, path: str, name: str) -> None:
        """Remember what the cache mount in the directory `path` is called, and that it was used now."""
        files.write_json(f"{path}.json", {"name": name}, sync=False)

    def mounts(self) -> list[tuple[str, str, int]]:
        """The cache mounts: name of the directory, what it is called, and when it was used last."""
        found = []
        directory = f"{self.directory}/{MOUNTS}"
        for name in names(directory):
            path = f"{directory}/{name}"
            if name.count(".") or not os.path.isdir(path):
                continue
            try:
                called = files.read_json(f"{path}.json")["name"]
                used_ns = os.stat(f"{path}.json").st_mtime_ns
            except (FileNotFoundError, files.DamagedFile, KeyError, TypeError):
                called, used_ns = "", 0
            found.append((name, called, used_ns))
        return found

    def is_mount_busy(self, name: str) -> bool:
        """Whether a step has the cache mount."""
        return locks.is_held(f"{self.directory}/{MOUNTS}/{name}.lock")

    def remove_mount(self, name: str) -> None:
        """Forget a cache mount; its content goes to the trash."""
        path = f"{self.directory}/{MOUNTS}/{name}"
        self._staging.discard(path)
        for ending in ("json", "lock"):
            try:
                os.unlink(f"{path}.{ending}")
            except FileNotFoundError:
                continue

    # Writing

    def keep(self, record: StepRecord, tree: str = "", *, replaces: bool = False) -> StepRecord:
        """Remember a result; the directory `tree` is moved here. When another build was faster, its result is taken.

        Then `tree` stays where it is. With `replaces` there is a result that is not wanted any more.
        """
        path = self._path(record.key)
        with self.lock():
            found = self.find(record.key)
            if found is not None and not replaces:
                return found
            if found is not None:
                os.unlink(f"{path}.json")
                self._staging.discard(path)
            if tree:
                self._staging.discard(path)  # a tree without a record is from a crash
                make_private(self.directory)
                self._staging.move(tree, path)
                faults.step("step: placed")
            record = record.replace(tree=bool(tree), boot=boot_id())
            self._write(record)
        faults.step("step: recorded")
        return record

    def become_layer(
        self, key: str, layer: LayerRecord, digest: str, size: int, media_type: str
    ) -> None:
        """Make the tree of a step the tree of a layer, and leave a link to it; or only note that the layer is here.

        Whoever has the tree mounted notices nothing, and whoever has its path neither.
        """
        path, target = self._path(key), self._layers.path(layer.diff_id)
        with self.lock():
            record = self.find(key)
            if record is None:
                return  # it was pruned meanwhile, which the caller's hold should keep from happening
            with self._layers.lock():
                if not self._layers.has(layer.diff_id):
                    if not os.path.islink(path):
                        self._exchange(path, target)
                    # A link leads there already where a command was killed before it could write the record.
                    if self.tree(key) == target:
                        self._layers.note(layer)
            self._write(
                record.replace(
                    diff_id=layer.diff_id,
                    layer_digest=digest,
                    layer_size=size,
                    layer_type=media_type,
                )
            )

    def _exchange(self, path: str, target: str) -> None:
        """Move the tree at `path` to `target`, with a link to it in its old place from the very same moment on."""
        from pod.linux import syscalls  # heavy

        def exchange() -> None:
            syscalls.renameat2(path, target, syscalls.RENAME_EXCHANGE)

        make_private(os.path.dirname(target))
        self._staging.discard(target)  # a tree without a record is from a crash
        os.symlink(f"../layers/{os.path.basename(target)}", target)
        faults.step("layer: linked")
        try:
            exchange()
        except PermissionError:  # the top directory belongs to a user of the image
            from storage import removal

            removal.run_as_owner(exchange, what="move a tree")
        faults.step("layer: placed")

    def keep_layer(self, record: StepRecord) -> bool:
        """Remember a result from elsewhere whose layer is unpacked here; whether it was not known before."""
        path = self._path(record.key)
        with self.lock():
            if self.find(record.key) is not None or not self._layers.has(record.diff_id):
                return False
            self._staging.discard(path)
            make_private(self.directory)
            name = os.path.basename(self._layers.path(record.diff_id))
            os.symlink(f"../layers/{name}", path)
            self._write(record.replace(tree=True, boot=boot_id()))
        return True

    def remove(self, key: str) -> None:
        """Forget a result; its tree goes to the trash. A layer that it has become is left to the collection."""
        path = self._path(key)
        with self.lock():
            try:
                os.unlink(f"{path}.json")
            except FileNotFoundError:
                pass
            self._staging.discard(path)

    def settle(self) -> None:
        """Write all trees to the disk, and say so in their records."""
        unsettled = [record for record in self.all() if record.boot]
        if not unsettled:
            return
        from pod.linux import syscalls  # heavy

        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syscalls.syncfs(fd)
        finally:
            os.close(fd)
        from storage.rootfs import measure_inside

        trees = [self.tree(record.key) for record in unsettled if record.tree]
        sizes = dict(zip(trees, measure_inside(trees), strict=True)) if trees else {}
        with self.lock():
            for record in unsettled:
                now = self._read(f"{self._path(record.key)}.json")
                if now is not None:
                    usage = sizes.get(self.tree(record.key))
                    size = usage.allocated if usage is not None else 0
                    self._write(now.replace(boot="", size=size), kept_time=True)

    def lock(self) -> FileLock:
        """Held while records are written."""
        return FileLock(f"{self._root}/locks/build.lock")

    def _write(self, record: StepRecord, *, kept_time: bool = False) -> None:
        path = f"{self._path(record.key)}.json"
        used_ns = self.last_use_ns(record.key) if kept_time else 0
        make_private(self.directory)
        files.write_json(path, record.to_json(), sync=False)
        if used_ns:
            os.utime(path, ns=(used_ns, used_ns))

    def _path(self, key: str) -> str:
        return f"{self.directory}/{key[:NAME_LENGTH]}"

    def _read(self, path: str) -> StepRecord | None:
        """The record in a file; None when there is none that counts."""
        try:
            record = StepRecord.from_json(files.read_json(path))
        except (FileNotFoundError, files.DamagedFile, TypeError, AttributeError):
            return None
        return record if not record.boot or record.boot == boot_id() else None
