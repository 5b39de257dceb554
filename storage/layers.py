"""Layers: archives unpacked once per diff id, shared by all images and containers that have them.

A layer is a tree `layers/HEX32` and a record `layers/HEX32.json`, HEX32 being the first digits of its diff id. The
record is written last, when the tree is durable: a tree without one does not exist.
"""

from __future__ import annotations

import os

from pod.base import files
from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import syscalls
from pod.spec.digest import hex_of
from storage import removal
from storage.directories import names
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    """A layer that cannot be unpacked. The message names the layer and, where there is one, the entry."""

    def __init__(self, layer: str, why: str, *, hint: str | None = None) -> None:
        super().__init__(f"layer '{layer}' cannot be unpacked: {why}", hint=hint)
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
    single_id: bool = False
    """True owners are in extended attributes; see overlayfs.OWNER_XATTR."""


class LayerStore:
    """The layers below `root`."""

    def __init__(self, root: str, staging: Staging) -> None:
        self.directory = f"{root}/layers"
        self._root = root
        self._staging = staging

    def path(self, diff_id: str) -> str:
        """Where the tree is, or would be."""
        return f"{self.directory}/{hex_of(diff_id)[:NAME_LENGTH]}"

    def has(self, diff_id: str) -> bool:
        """Whether the layer is here, complete."""
        return os.path.exists(f"{self.path(diff_id)}.json")

    def record(self, diff_id: str) -> LayerRecord:
        """Raises LayerNotFound."""
        try:
            document = files.read_json(f"{self.path(diff_id)}.json")
        except FileNotFoundError:
            raise LayerNotFound(diff_id) from None
        return LayerRecord.from_json(document)

    def list(self) -> Iterator[LayerRecord]:
        """The records of all layers, in no order."""
        for name in names(self.directory):
            if name.endswith(".json"):
                try:
                    yield LayerRecord.from_json(files.read_json(f"{self.directory}/{name}"))
                except (FileNotFoundError, files.DamagedFile, TypeError):
                    continue  # removed meanwhile, or damaged: garbage, see `debris`

    def debris(self) -> Sequence[str]:
        """The paths below the layers that are no layer: trees without record, leftovers of a crash."""
        present = set(names(self.directory))
        good = {hex_of(record.diff_id)[:NAME_LENGTH] for record in self.list()}
        return [
            f"{self.directory}/{name}"
            for name in sorted(present)
            if name.removesuffix(".json") not in good
        ]

    def remove(self, diff_id: str) -> None:
        """Take a layer away, under the image store's lock; its tree goes to the trash."""
        path = self.path(diff_id)
        try:
            os.unlink(
                f"{path}.json"
            )  # first: without it, the tree is garbage whatever happens next
        except FileNotFoundError:
            pass
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

    def finish(self, jobs: Sequence[UnpackJob]) -> Sequence[LayerRecord]:
        """Wait for the children, make all their trees durable with one sync, and put them into their places.

        Raises the first LayerError; then no layer of `jobs` is kept. Layers that another command has unpacked meanwhile
        are taken as they are.
        """
        outcomes = []
        try:
            for job in jobs:
                outcomes.append(job.collect())
        except BaseException:
            for job in jobs:
                job.abort()
            raise
        if jobs:
            fd = os.open(self._staging.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                syscalls.syncfs(fd)
            finally:
                os.close(fd)
        return [
            self.adopt(job.release_tree(), *outcome)
            for job, outcome in zip(jobs, outcomes, strict=True)
        ]

    def adopt(
        self, tree: StagedTree, record: LayerRecord, root: RootDirectory | None = None
    ) -> LayerRecord:
        """Make a staged tree, which is durable, a layer. When the layer is here already, the tree is discarded."""
        path = self.path(record.diff_id)
        with FileLock(f"{self._root}/locks/layers.lock"):
            if self.has(record.diff_id):
                tree.discard()
                return self.record(record.diff_id)
            self._staging.discard(path)  # a tree without a record is from a crash
            tree.promote(path)
            if root is not None:
                root.apply(path)
            files.write_json(f"{path}.json", record.to_json())
        return record


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
