"""Bring changed files of this machine into a running container, and take removed ones out: for `compose watch`.

It is done where `pod cp` does its work (cp.py). What is there keeps its owner; what is new belongs to the user that the
container runs as, with the directories above it.
"""

from __future__ import annotations

import os
import stat

from pod.engine import cp, files
from pod.engine.cp_child import Work
from pod.engine.cp_ends import End, Location, Options
from pod.linux import inroot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.engine.context import Engine

    Change = tuple[str, str]
    """A path of this machine, which may be gone, and the one in the container that it stands for."""


def sync(engine: Engine, name: str, changes: Sequence[Change]) -> list[str]:
    """Make the paths in the container `name` what they are here; warnings about what was left out.

    What has the same size and time is left alone. A directory is made, and nothing in it; what is in one that is gone
    goes with it. Raises NoSuchContainer, CannotCopy.
    """
    location = Location(name, "/")
    held = files.Held(engine, name)
    with held:
        end = cp.end_of(engine, location, {held.container.id: held}, {name: held})
        try:
            here = End(Location("", "/"))
            cp.settle_namespace([here, end])
            engine.close()
            return cp.in_child(_Sync(here, end, changes))
        finally:
            end.close()


class _Sync(Work):
    """What the child does."""

    def __init__(self, here: End, there: End, changes: Sequence[Change]) -> None:
        super().__init__(here, there, Options(overwrite=True), -1)
        self._changes = sorted(changes)
        self._present: os.stat_result | None = None
        self._new: tuple[int, int] | None = None

    def run(self) -> list[str]:
        from storage import copying
        from storage.transfer import Transfer

        os.umask(0)
        copying.raise_limits()
        visits = self._mount()
        try:
            self._new = None if self.single_id else self._user(self.target)
            root = self._intermediate(0, 0)[0]
            transfer = Transfer(
                lambda _: self._owner_now(), capability_root=root, set_id=True, overwrite=True
            )
            self._become(self._intermediate(0, 0))
            for source, target in self._changes:
                self._apply(transfer, source, target)
            return transfer.warnings
        finally:
            for visit in visits:
                visit.end()

    def _apply(self, transfer: Any, source: str, target: str) -> None:
        from storage import removal
        from storage.transfer import CannotCopy, words

        parent, _, name = target.rstrip("/").rpartition("/")
        try:
            status = os.lstat(source)
        except (FileNotFoundError, NotADirectoryError):
            status = None
        try:
            if not name:
                return  # the root of a container is always there
            parent_fd = self._directory(parent or "/", make=status is not None)
            if parent_fd < 0:
                return
            try:
                self._present = _lstat(name, parent_fd)
                if status is None:
                    if self._present is not None:
                        removal.remove_at(parent_fd, name)
                elif stat.S_ISDIR(status.st_mode):
                    if self._present is None or not stat.S_ISDIR(self._present.st_mode):
                        if self._present is not None:
                            os.unlink(name, dir_fd=parent_fd)
                        self._make_directory(name, parent_fd, stat.S_IMODE(status.st_mode))
                elif not _is_same(status, self._present):
                    directory_fd = os.open(
                        os.path.dirname(source), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
                    )
                    try:
                        transfer.copy_entry(
                            directory_fd, os.path.basename(source), parent_fd, name, source
                        )
                    finally:
                        os.close(directory_fd)
            finally:
                os.close(parent_fd)
        except OSError as error:
            raise CannotCopy(source, words(error)) from error

    def _directory(self, path: str, *, make: bool) -> int:
        """A directory of the container, made with those above it if `make`; -1 when there is none."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            return inroot.open_at(self.target.root_fd, path, flags)
        except (FileNotFoundError, NotADirectoryError):
            if not make or path == "/":
                return -1
        above, _, name = path.rstrip("/").rpartition("/")
        above_fd = self._directory(above or "/", make=True)
        try:
            self._make_directory(name, above_fd, 0o755)
            return os.open(name, flags | os.O_NOFOLLOW, dir_fd=above_fd)
        finally:
            os.close(above_fd)

    def _make_directory(self, name: str, parent_fd: int, mode: int) -> None:
        os.mkdir(name, mode, dir_fd=parent_fd)
        if self._new is not None:
            os.chown(name, *self._new, dir_fd=parent_fd, follow_symlinks=False)

    def _owner_now(self) -> tuple[int, int] | None:
        if self.single_id:
            return None
        present = self._present
        if present is not None and not stat.S_ISDIR(present.st_mode):
            return present.st_uid, present.st_gid
        return self._new


def _lstat(name: str, directory_fd: int) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=directory_fd)
    except FileNotFoundError:
        return None


def _is_same(status: os.stat_result, present: os.stat_result | None) -> bool:
    """Whether a file was brought there before and has not changed since, by size, time and mode."""
    return (
        present is not None
        and stat.S_ISREG(status.st_mode)
        and present.st_mode == status.st_mode
        and (present.st_size, present.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    )
