"""Layers: archives unpacked once per diff id, shared by all images and containers that have them.

A layer is a tree `layers/HEX32` and a record `layers/HEX32.json`, HEX32 being the first digits of its diff id. The
record is written last: a tree without one does not exist.

Writing a tree to the disk takes as long as unpacking it, and what is lost can be unpacked again from its blob, which is
durable. So nobody waits for it: a record names the boot in which the tree was made until a process behind the command
has synced it, and one that names another boot counts for nothing.
"""

from __future__ import annotations

import os

from pod.base import faults, files, log
from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux.boot import boot_id
from pod.spec.digest import hex_of
from storage import behind, removal
from storage.directories import names, stale_temporaries
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from storage.staging import StagedTree, Staging
    from storage.stream import Limits
    from storage.unpackjob import UnpackJob

NAME_LENGTH = 32


class LayerNotFound(PodError):
    """A layer that an image or container needs is not unpacked here."""

    def __init__(self, diff_id: str) -> None:
        super().__init__(
            f"layer '{diff_id}' is not in the store", hint="pull or load its image again"
        )
        self.diff_id = diff_id


class LayerError(PodError):
    """A layer that cannot be unpacked. The message names the layer and, where there is one, the entry.

    `layer` is its diff id, or "" for an archive that is to become one.
    """

    def __init__(self, layer: str, why: str, *, hint: str | None = None) -> None:
        what = f"layer '{layer}'" if layer else "the archive"
        super().__init__(
            f"{what} cannot be unpacked: {why}",
            hint=hint or "ask whoever made the image to make it again",
        )
        self.layer = layer


class InvalidLayer(LayerError):
    """Its archive is malformed, truncated, or tries what no layer may do."""


class LayerTooLarge(LayerError):
    """It unpacks to more than the limits allow."""


class DiffIdMismatch(LayerError):
    """Its content is not what the image's configuration says."""


class DiskFull(LayerError):
    """There is no space for it."""


class LayerRecord(Record):
    """What is known about an unpacked layer."""

    diff_id: str
    size: int
    """Bytes of the uncompressed archive, which is what other engines show as the size."""
    entries: int
    skipped_devices: int = 0
    skipped_xattrs: int = 0
    boot: str = ""
    """The boot in which the tree was made, as long as it may be lost with a power cut."""
    opaque: bool = False
    """Its "/" hides all layers below. Overlay does not look for that mark at the root, so they are left out instead."""
    single_id: bool = False
    """True owners are in extended attributes; see overlayfs.OWNER_XATTR."""
    uids: tuple[int, ...] = ()
    """The owners of its files, and in `gids` their groups; empty when nobody has looked."""
    gids: tuple[int, ...] = ()
    fingerprint: str = ""
    """Of its files as they were unpacked (prints.py); empty until it has been settled."""


class LayerStore:
    """The layers below `root`."""

    def __init__(self, root: str, staging: Staging) -> None:
        self.directory = f"{root}/layers"
        self._lock_path = f"{root}/locks/layers.lock"
        self._root = root
        self._staging = staging
        self._settles_later = False

    def path(self, diff_id: str) -> str:
        """Where the tree is, or would be."""
        return f"{self.directory}/{hex_of(diff_id)[:NAME_LENGTH]}"

    def has(self, diff_id: str) -> bool:
        """Whether the layer is here, complete."""
        return self.find(diff_id) is not None

    def find(self, diff_id: str) -> LayerRecord | None:
        """The record of the layer; None when it is not here, complete."""
        record = self._read(f"{self.path(diff_id)}.json")
        return None if record is None or record.diff_id != diff_id else record

    def record(self, diff_id: str) -> LayerRecord:
        """Raises LayerNotFound."""
        record = self.find(diff_id)
        if record is None:
            raise LayerNotFound(diff_id)
        return record

    def list(self) -> Iterator[LayerRecord]:
        """The records of all layers, in no order."""
        for name in names(self.directory):
            if name.endswith(".json") and name.count(".") == 1:
                record = self._read(f"{self.directory}/{name}")
                if record is not None:
                    yield record

    def forms(self) -> dict[str, str]:
        """The layers that were copied for other id maps (mapped.py): name of the directory -> diff id."""
        found = {}
        for file in names(self.directory):
            if file.endswith(".json") and file.count(".") == 2:
                record = self._read_form(file)
                if record is not None:
                    found[file.removesuffix(".json")] = str(record["diff_id"])
        return found

    def has_form(self, name: str) -> bool:
        """Whether that copy is here, complete."""
        return self._read_form(f"{name}.json") is not None

    def owners(self, record: LayerRecord) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The uids and gids of a layer's files, as its image has them."""
        if record.uids:
            return record.uids, record.gids
        from storage import usage

        path = self.path(record.diff_id)
        found: tuple[tuple[int, ...], tuple[int, ...]] = removal.run_as_owner(
            lambda: usage.owners(path), what="look at the owners of a layer"
        )
        return found

    def debris(self) -> Sequence[str]:
        """The paths below the layers that are no layer: trees without a record that counts, leftovers of a crash."""
        present = {name for name in names(self.directory) if not name.endswith(".tmp")}
        good = {hex_of(record.diff_id)[:NAME_LENGTH] for record in self.list()}
        good.update(self.forms())
        return stale_temporaries(self.directory) + [
            f"{self.directory}/{name}"
            for name in sorted(present)
            if name.removesuffix(".json") not in good
        ]

    def remove(self, diff_id: str) -> None:
        """Take a layer away, under the image store's lock; its tree goes to the trash."""
        self._remove(self.path(diff_id))

    def remove_form(self, name: str) -> None:
        """As `remove`, a copy for another id map."""
        self._remove(f"{self.directory}/{name}")

    def _remove(self, path: str) -> None:
        with self.lock():  # `settle` writes records again
            try:
                # First: without it, the tree is garbage whatever happens next.
                os.unlink(f"{path}.json")
            except FileNotFoundError:
                pass
        faults.step("layer: without record")
        self._staging.discard(path)

    def unpack(
        self,
        source_fd: int | None = None,
        *,
        diff_id: str | None = None,
        offset: int | None = None,
        size: int | None = None,
        limits: Limits | None = None,
    ) -> UnpackJob:
        """Start a child that unpacks a layer, compressed or not, as root of the id map. Call with a single thread.

        It reads the pipe or file `source_fd` to its end; the caller may close its own copy at once. With `offset` and
        `size`, it reads that range of a file. Without `source_fd` there is a new pipe whose end for writing is
        `job.sink_fd`. `diff_id` is what the uncompressed bytes must have; without it, it is computed.

        Call `finish` or `abort` of the job, or `finish` of the store for several together.
        """
        from storage import unpackjob  # heavy

        return unpackjob.start(
            self, self._staging, source_fd, diff_id=diff_id, span=(offset, size), limits=limits
        )

    def finish(
        self,
        jobs: Sequence[UnpackJob],
        *,
        settle_later: bool = False,
        hold: Callable[[str], None] | None = None,
    ) -> Sequence[LayerRecord]:
        """Wait for the children, put their trees into their places, and start writing them to the disk behind us.

        With `settle_later`, `settle_behind` is called when the index has been written too: a small file that is synced
        while the whole file system is being written waits for all of that. `hold` is called with the diff ids before
        the layers are there, by whoever could not hold what was not known.

        Raises the first LayerError; then no layer of `jobs` is kept. Layers that another command has unpacked meanwhile
        are taken as they are. Call with a single thread.
        """
        outcomes = []
        try:
            for job in jobs:
                outcomes.append(job.collect())
        except BaseException:
            for job in jobs:
                job.abort()
            raise
        if hold is not None:
            for record, _ in outcomes:
                hold(record.diff_id)
        records = [
            self.adopt(job.release_tree(), *outcome)
            for job, outcome in zip(jobs, outcomes, strict=True)
        ]
        if any(job.loses_owners for job in jobs):
            log.warning(
                "you have no subordinate ids, so all files of the image are yours, whoever they belong to in it; "
                "programs in it that change to another user will fail. "
                "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME, typed by root, helps"
            )
        self._settles_later = self._settles_later or bool(records)
        if not settle_later:
            self.settle_behind()
        return records

    def settle_behind(self) -> None:
        """Start writing to the disk what `finish` has put into place. Call with a single thread."""
        if self._settles_later:
            self._settles_later = False
            behind.start(self.settle)

    def adopt(
        self, tree: StagedTree, record: LayerRecord, root: RootDirectory | None = None
    ) -> LayerRecord:
        """Make a staged tree a layer. When the layer is here already, the tree is discarded."""
        path = self.path(record.diff_id)
        with self.lock():
            if self.has(record.diff_id):
                tree.discard()
                return self.record(record.diff_id)
            self._staging.discard(path)  # a tree without a record is from a crash
            tree.promote(path, sync=False)
            faults.step("layer: placed")
            if root is not None:
                root.apply(path)
            self.note_boot()
            record = record.replace(boot=boot_id())
            files.write_json(f"{path}.json", record.to_json(), sync=False)
            faults.step("layer: recorded")
        return record

    def note(self, record: LayerRecord) -> None:
        """Write the record of a layer whose tree has been put into its place, under the lock."""
        self.note_boot()
        record = record.replace(boot=boot_id())
        files.write_json(f"{self.path(record.diff_id)}.json", record.to_json(), sync=False)

    def note_boot(self, *, only: bool = False) -> None:
        """Say that layers are made in this boot; with `only`, that nothing is missing of earlier ones.

        The lock file has it, under the lock.
        """
        boots, boot = self._boots(), boot_id()
        if boot not in boots or (only and len(boots) > 1):
            kept = [] if only else boots[:1]
            fd = os.open(self._lock_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
            try:
                files.write_all(fd, "\n".join([*kept, boot]).encode())
                os.fsync(fd)
            finally:
                os.close(fd)

    def may_have_lost(self) -> bool:
        """Whether layers were made in an earlier boot, which a power cut may have taken away."""
        return any(boot != boot_id() for boot in self._boots())

    def _boots(self) -> Sequence[str]:
        try:
            return files.read_bytes(self._lock_path).decode().split()
        except FileNotFoundError:
            return []

    def settle(self) -> None:
        """Write all layers to the disk, and say so in their records."""
        unsettled = [record for record in self.list() if record.boot]
        forms = [name for name in self.forms() if self._is_unsettled(name)]
        if not unsettled and not forms:
            return
        from pod.linux import syscalls  # heavy

        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syscalls.syncfs(fd)
        finally:
            os.close(fd)
        faults.step("layer: synced")
        try:
            found = self.fingerprints(unsettled)
        except (OSError, PodError) as error:
            log.debug(f"layers stay without fingerprints: {error}")
            found = {}
        with self.lock():
            for record in unsettled:
                if self.has(record.diff_id):
                    path = f"{self.path(record.diff_id)}.json"
                    settled = record.replace(boot="", fingerprint=found.get(record.diff_id, ""))
                    files.write_json(path, settled.to_json(), sync=False)
            for name in forms:
                if form := self._read_form(f"{name}.json"):
                    path = f"{self.directory}/{name}.json"
                    files.write_json(path, {**form, "boot": ""}, sync=False)

    def fingerprints(self, records: Sequence[LayerRecord]) -> dict[str, str]:
        """Of the trees of layers, by diff id; see prints.py. "" for those that are not there."""
        from storage import prints

        diff_ids = [record.diff_id for record in records]
        paths = [self.path(diff_id) for diff_id in diff_ids]
        found: list[str] = []
        if paths:
            found = removal.run_as_owner(
                lambda: prints.fingerprints(paths), what="look at the files of layers"
            )
        return dict(zip(diff_ids, found, strict=True))

    def _is_unsettled(self, name: str) -> bool:
        form = self._read_form(f"{name}.json")
        return form is not None and bool(form["boot"])

    def _read_form(self, file: str) -> dict[str, str] | None:
        """The record of a copy; None when there is none that counts."""
        try:
            record = files.read_json(f"{self.directory}/{file}")
        except (FileNotFoundError, files.DamagedFile):
            return None
        if not isinstance(record, dict) or not {"diff_id", "boot"} <= record.keys():
            return None
        return record if record["boot"] in {"", boot_id()} else None

    def _read(self, path: str) -> LayerRecord | None:
        """The record in a file; None when there is none that counts."""
        try:
            record = LayerRecord.from_json(files.read_json(path))
        except (FileNotFoundError, files.DamagedFile, TypeError):
            return None
        return record if not record.boot or record.boot == boot_id() else None

    def lock(self) -> FileLock:
        """Held while trees are put into their places and records are written."""
        return FileLock(self._lock_path)


class RootDirectory(Record):
    """What the top directory of a layer shall be like, once the tree is in its place."""

    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime_ns: int | None = None

    def apply(self, path: str) -> None:
        """Set it, on the top directory of a tree. Its owner is 0:0 so far, which is the caller."""
        if (self.uid, self.gid) == (0, 0):
            self._apply(path)
        else:
            removal.run_as_owner(lambda: self._apply(path), what="set the owner of a layer")

    def _apply(self, path: str) -> None:
        if (self.uid, self.gid) != (0, 0):
            os.chown(path, self.uid, self.gid)
        os.chmod(path, self.mode)
        if self.mtime_ns is not None:
            os.utime(path, ns=(self.mtime_ns, self.mtime_ns))
