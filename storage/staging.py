"""Trees that are being built, and trees that are thrown away.

A tree is built under `staging/`, locked by its builder, and renamed to where it belongs. A tree that is not wanted any
more is renamed into `trash/`, which takes no time, and deleted behind the command's back.
"""

from __future__ import annotations

import errno
import os

from pod.base import files, locks
from storage import removal
from storage.directories import make_private, names, spread
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


class Staging:
    """`staging/` and `trash/` below the root directory `root`; both are made when they are needed."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._staging = f"{root}/staging"
        self._trash = f"{root}/trash"
        self._locks = f"{root}/locks"

    def create(self) -> StagedTree:
        """A new, empty, locked directory; the caller promotes or discards it."""
        if not os.path.isdir(self._staging):
            make_private(self._staging)
            spread(self._staging)
        path = f"{self._staging}/{os.urandom(8).hex()}"
        lock = FileLock(f"{path}.lock")
        lock.acquire()  # before the directory is there, so that a sweep never sees it without its lock
        os.mkdir(path, 0o700)
        return StagedTree(self, path, lock)

    def discard(self, path: str) -> None:
        """Take a file or tree away from `path` at once; deleting it is left to empty_trash_behind.

        A tree that is not there is no error. One on another file system is deleted on the spot.
        """
        target = f"{self._trash}/{os.urandom(8).hex()}"
        try:
            try:
                self.move(path, target)
            except FileNotFoundError:
                if not os.path.lexists(path):
                    return
                make_private(self._trash)
                self.move(path, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            removal.remove_tree(path)

    def abandoned(self) -> list[str]:
        """The paths of trees whose builder was killed."""
        found = {name.removesuffix(".lock") for name in names(self._staging)}
        return [
            f"{self._staging}/{name}"
            for name in sorted(found)
            if not locks.is_held(f"{self._staging}/{name}.lock")
        ]

    def sweep(self) -> list[str]:
        """Discard what builders left that were killed; the names. Trees whose builder lives are left alone."""
        swept = []
        for path in self.abandoned():
            base = os.path.basename(path)
            lock = FileLock(f"{path}.lock")
            if not lock.try_acquire():
                continue
            try:
                if os.path.lexists(path):
                    self.discard(path)
                    swept.append(base)
            finally:
                lock.remove()
        return swept

    def tidy(self) -> None:
        """Sweep, and delete what is in the trash behind the command's back. Call with a single thread.

        Two directory listings when there is nothing to do.
        """
        if names(self._staging):
            self.sweep()
        self.empty_trash_behind()

    def trash(self) -> list[str]:
        """The paths of what waits to be deleted."""
        return [f"{self._trash}/{name}" for name in names(self._trash)]

    def empty_trash(self) -> None:
        """Delete what is in the trash, now. Raises OSError when the kernel refuses."""
        for path in self.trash():
            removal.remove_tree(path)

    def empty_trash_behind(self) -> None:
        """Delete what is in the trash in a process of its own, which outlives the command. Call with a single thread.

        At most one such process works and one waits: the one that waits has not looked into the trash yet, so it will
        find what was discarded before this call.
        """
        if not self.trash():
            return
        waiting = FileLock(f"{self._locks}/trash-waiting")
        if not waiting.try_acquire():
            return
        try:
            removal.empty_behind(self._trash, f"{self._locks}/trash-working", waiting.fd)
        finally:
            waiting.release()

    def move(self, source: str, target: str) -> None:
        """Rename a tree, also one whose top the caller may not write: then as its owner, or as root of the id map."""
        try:
            os.rename(source, target)
        except PermissionError:
            # Moving a directory changes its "..", which takes write permission on the directory itself.
            try:
                os.chmod(source, 0o700)
                os.rename(source, target)
            except PermissionError:
                removal.run_as_owner(lambda: os.rename(source, target), what="move a tree")


class StagedTree:
    """A tree under construction. Exactly one of `promote` and `discard` is called."""

    def __init__(self, staging: Staging, path: str, lock: FileLock) -> None:
        self.path = path
        self._staging = staging
        self._lock = lock

    def promote(self, target: str, *, sync: bool = True) -> None:
        """Rename the tree to `target`, whose directory is made when it is missing. Raises OSError when it is taken."""
        try:
            self._staging.move(self.path, target)
        except FileNotFoundError:
            make_private(os.path.dirname(target))
            self._staging.move(self.path, target)
        if sync:
            files.sync_directory(os.path.dirname(target))
        self._unlock()

    def discard(self) -> None:
        """Give it up; it goes to the trash."""
        self._staging.discard(self.path)
        self._unlock()

    def remove(self) -> None:
        """Delete what is left of it on the spot, with the privileges that this process has."""
        removal.remove_as_caller(self.path)
        self._unlock()

    def _unlock(self) -> None:
        self._lock.remove()
