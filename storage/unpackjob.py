"""One layer on its way from an archive to a tree: the child that unpacks it, and the parent's hold on the child."""

from __future__ import annotations

import errno
import fcntl
import os

from pod.linux import idmap
from pod.linux.processes import ChildFailed
from pod.spec.digest import algorithm_of
from storage import layers, overlayfs, tar
from storage.compression import InvalidStream
from storage.stream import (
    LayerStream,
    Limits,
    TooLarge,
    prefetched,
    read_from,
    read_range,
)
from storage.unpack import BadEntry, Unpacker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.linux.processes import Child
    from storage.compression import Read
    from storage.staging import StagedTree, Staging

_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031  # fcntl(2); the fcntl module names it from Python 3.10 on, not everywhere

_MAKE_SPACE = "pod system prune makes space"
_ERRORS = {
    "invalid": layers.InvalidLayer,
    "too large": layers.LayerTooLarge,
    "mismatch": layers.DiffIdMismatch,
    "disk full": layers.DiskFull,
    "other": layers.LayerError,
}


def start(
    store: layers.LayerStore,
    staging: Staging,
    source_fd: int | None,
    *,
    diff_id: str | None,
    span: tuple[int | None, int | None],
    limits: Limits | None,
) -> UnpackJob:
    """See LayerStore.unpack."""
    maps = idmap.default_maps()
    single_id = sum(count for _, _, count in maps[0]) == 1
    marks = overlayfs.marks_here()
    tree = staging.create()
    sink_fd = -1
    try:
        read_fd = source_fd
        if read_fd is None:
            read_fd, sink_fd = os.pipe()
            _enlarge(sink_fd)
        work = _Work(tree.path, read_fd, span, limits or Limits(), diff_id, marks, single_id)
        try:
            child = idmap.start_inside(
                work.run, what="unpack a layer", maps=maps, keep={read_fd}, namespaces=0
            )
        finally:
            if source_fd is None:
                os.close(read_fd)
    except BaseException:
        if sink_fd >= 0:
            os.close(sink_fd)
        tree.discard()
        raise
    return UnpackJob(store, tree, child, sink_fd, diff_id, single_id=single_id)


class UnpackJob:
    """A layer that is being unpacked by a child. Call `finish` or `abort`, once."""

    def __init__(
        self,
        store: layers.LayerStore,
        tree: StagedTree,
        child: Child,
        sink_fd: int,
        diff_id: str | None,
        *,
        single_id: bool,
    ) -> None:
        self.sink_fd = sink_fd
        """Where the layer's bytes are to be written; -1 when the child has another source. A child that has given up
        closes its end: writing raises BrokenPipeError then, and `finish` says why."""
        self._store = store
        self._tree: StagedTree | None = tree
        self._child: Child | None = child
        self._diff_id = diff_id
        self._single_id = single_id
        self.loses_owners = False
        """Whether files had to be given to the caller that belong to others; known when it is finished."""

    def close_sink(self) -> None:
        """All bytes of the layer have been written."""
        if self.sink_fd >= 0:
            os.close(self.sink_fd)
            self.sink_fd = -1

    def finish(self, hold: Callable[[str], None] | None = None) -> layers.LayerRecord:
        """Wait for the child, make the tree durable and a layer. Raises LayerError; then nothing is kept.

        `hold` is as in LayerStore.finish.
        """
        return self._store.finish([self], hold=hold)[0]

    def abort(self) -> None:
        """Stop the child and discard what it made. After the end of the job, nothing happens."""
        self.close_sink()
        child, self._child = self._child, None
        if child is not None:
            child.kill()
        if self._tree is not None:
            self.release_tree().discard()

    def collect(self) -> tuple[layers.LayerRecord, layers.RootDirectory]:
        """Wait for the child; what it made. For LayerStore.finish."""
        self.close_sink()
        child, self._child = self._child, None
        assert child is not None, "a job is finished once"
        layer = self._diff_id or ""
        try:
            outcome: dict[str, Any] = child.result()
        except ChildFailed as error:
            raise layers.LayerError(layer, error.message) from error
        if "error" in outcome:
            kind, why, hint = outcome["error"]
            raise _ERRORS[kind](layer, why, hint=hint)
        record = layers.LayerRecord(
            diff_id=outcome["diff_id"],
            size=outcome["size"],
            entries=outcome["entries"],
            skipped_devices=outcome["skipped_devices"],
            skipped_xattrs=outcome["skipped_xattrs"],
            opaque=outcome["opaque"],
            single_id=self._single_id,
            uids=tuple(outcome["uids"]),
            gids=tuple(outcome["gids"]),
        )
        self.loses_owners = self._single_id and outcome["has_other_owners"]
        return record, layers.RootDirectory(*outcome["root"])

    def release_tree(self) -> StagedTree:
        """Hand over the tree."""
        tree, self._tree = self._tree, None
        assert tree is not None
        return tree


class _Work:
    """What the child does, with what it needs for it."""

    def __init__(
        self,
        path: str,
        source_fd: int,
        span: tuple[int | None, int | None],
        limits: Limits,
        diff_id: str | None,
        marks: overlayfs.Marks,
        single_id: bool,
    ) -> None:
        self.path = path
        self.source_fd = source_fd
        self.span = span
        self.limits = limits
        self.diff_id = diff_id
        self.marks = marks
        self.single_id = single_id

    def run(self) -> dict[str, Any]:
        """Errors are a part of the result, so that the parent can raise the class that belongs to them."""
        import gc

        gc.disable()  # nothing here has cycles, and a collection would touch every page shared with the parent
        os.umask(0)
        try:
            return self._unpack()
        except (InvalidStream, tar.InvalidArchive) as error:
            return {"error": ("invalid", error.why, None)}
        except BadEntry as error:
            return {"error": ("invalid", error.message, error.hint)}
        except TooLarge as error:
            if error.for_disk:
                why = f"{error.why}, and that would fill the disk"
                return {"error": ("disk full", why, _MAKE_SPACE)}
            return {"error": ("too large", error.why, None)}
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            kind, hint = ("disk full", _MAKE_SPACE) if full else ("other", None)
            return {"error": (kind, error.strerror or str(error), hint)}

    def _unpack(self) -> dict[str, Any]:
        root_fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        _forget_parent(root_fd)
        stream = LayerStream(
            self._reader(),
            free_bytes=_free_bytes(root_fd),
            limits=self.limits,
            algorithm=algorithm_of(self.diff_id) if self.diff_id else "sha256",
        )
        reader = tar.TarReader(prefetched(stream.chunks()))
        unpacker = Unpacker(
            root_fd,
            self.marks,
            single_id=self.single_id,
            make_devices=self.marks.prefix.startswith("trusted."),
            max_entries=self.limits.max_entries,
        )
        unpacker.unpack(reader)
        reader.drain()
        if self.diff_id is not None and stream.digest != self.diff_id:
            why = f"its content has the digest {stream.digest}"
            return {"error": ("mismatch", why, None)}
        owners = {(0, 0)} if self.single_id else unpacker.seen_owners
        return {
            "diff_id": stream.digest,
            "size": stream.bytes,
            "entries": unpacker.entries,
            "skipped_devices": unpacker.skipped_devices,
            "skipped_xattrs": unpacker.skipped_xattrs,
            "opaque": unpacker.root_opaque,
            "has_other_owners": len(unpacker.seen_owners) > 1,
            "uids": sorted({uid for uid, _ in owners}),
            "gids": sorted({gid for _, gid in owners}),
            "root": (unpacker.root_mode, *unpacker.root_owner, unpacker.root_mtime_ns),
        }

    def _reader(self) -> Read:
        offset, size = self.span
        if offset is None or size is None:
            return read_from(self.source_fd)
        return read_range(self.source_fd, offset, size)


def _forget_parent(root_fd: int) -> None:
    """Undo what a new directory inherits from its parent: a group, and default access control lists."""
    os.fchown(root_fd, 0, 0)
    os.fchmod(root_fd, 0o700)
    for name in ("system.posix_acl_default", "system.posix_acl_access"):
        try:
            os.removexattr(root_fd, name)
        except OSError as error:
            if error.errno not in {errno.ENODATA, errno.ENOTSUP}:
                raise


def _free_bytes(fd: int) -> int:
    status = os.fstatvfs(fd)
    return status.f_bavail * status.f_frsize


def _enlarge(pipe_fd: int) -> None:
    try:
        fcntl.fcntl(pipe_fd, _F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        pass  # the user's share of pipe memory is used up, pipe(7); it works with the small one
