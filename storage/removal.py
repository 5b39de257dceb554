"""Deleting trees: deep ones, unreadable ones, ones with subordinate owners, and behind the command's back."""

from __future__ import annotations

import errno
import os

from pod.base import faults
from pod.linux import idmap
from storage import behind
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTEMPTS = 20  # to remove a directory that somebody fills at the same time
_DEEPEST = 100  # open directories at a time; what is deeper is moved up first


def remove_tree(path: str) -> None:
    """Delete a file or tree; one that is not there is no error.

    First as the caller; where that is refused, because files have subordinate owners, as root of the default id map.
    """
    try:
        remove_as_caller(path)
    except PermissionError:
        run_as_owner(lambda: remove_as_caller(path), what=f"delete '{path}'")


def remove_as_caller(path: str) -> None:
    """As remove_tree, with the privileges that this process has."""
    parent_fd = os.open(os.path.dirname(path) or ".", _DIRECTORY & ~os.O_NOFOLLOW)
    try:
        remove_at(parent_fd, os.path.basename(path))
    finally:
        os.close(parent_fd)


def remove_at(parent_fd: int, name: str | bytes) -> None:
    """Delete the entry `name` of a directory, with everything below it. Links are not followed.

    Takes no more descriptors for a deep tree than for a flat one. What others delete meanwhile is no error, and what
    they add is deleted too.
    """
    try:
        os.unlink(name, dir_fd=parent_fd)
        return
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError) as error:  # EPERM: POSIX has it for directories
        if isinstance(error, PermissionError) and not _is_directory(parent_fd, name):
            raise
    for attempt in range(_ATTEMPTS):
        try:
            top_fd = os.open(name, _DIRECTORY, dir_fd=parent_fd)
            try:
                _empty(top_fd, top_fd, 1)
            finally:
                os.close(top_fd)
            os.rmdir(name, dir_fd=parent_fd)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _empty(top_fd: int, directory_fd: int, depth: int) -> None:
    """Delete the content of a directory. Directories that are too deep move up to the top, which is emptied last."""
    while True:
        directories = []
        with os.scandir(directory_fd) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    directories.append(entry.name)
                else:
                    _ignoring_missing(os.unlink, entry.name, directory_fd)
        if not directories:
            return
        for name in directories:
            if depth >= _DEEPEST:
                new_name = f".deep-{os.urandom(8).hex()}"
                os.rename(name, new_name, src_dir_fd=directory_fd, dst_dir_fd=top_fd)
                continue
            try:
                child_fd = os.open(name, _DIRECTORY, dir_fd=directory_fd)
            except FileNotFoundError:
                continue
            try:
                _empty(top_fd, child_fd, depth + 1)
            finally:
                os.close(child_fd)
            _ignoring_missing(os.rmdir, name, directory_fd)
        if depth > 1:
            return  # the top looks again, for what was moved to it


def _ignoring_missing(remove: Callable[..., None], name: str, directory_fd: int) -> None:
    try:
        remove(name, dir_fd=directory_fd)
    except FileNotFoundError:
        pass


def run_as_owner(function: Callable[[], Any], *, what: str) -> Any:
    """Call `function` as root of the default id map, which owns whatever containers and layers have made."""
    return idmap.run_inside(function, what=what, namespaces=0)


def empty_behind(trash: str, working: str, waiting_fd: int) -> None:
    """Start a process that empties the directory `trash`; nobody waits for it.

    It keeps the lock `waiting_fd` until it has the lock on the file `working`.
    """

    def work() -> None:
        with FileLock(working):
            os.close(waiting_fd)  # from here on a later discard needs a process of its own
            faults.step("trash: begun")
            present = os.listdir(trash)
            idmap.run_inside(
                lambda: _remove_names(trash, present), what="empty the trash", namespaces=0
            )

    behind.start(work, keep={waiting_fd})


def _remove_names(trash: str, names: list[str]) -> None:
    for name in names:
        remove_as_caller(f"{trash}/{name}")


def _is_directory(parent_fd: int, name: str | bytes) -> bool:
    import stat

    return stat.S_ISDIR(os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode)
