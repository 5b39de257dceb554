"""Directories for one run, with short paths, removed at the end; those of runs that were killed are removed too."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator

from pod.linux import idmap

_PREFIX = "pt-"
_YOUNG_SECONDS = 60


@contextlib.contextmanager
def run_directory(base: str | None = None) -> Iterator[str]:
    """A new directory in `base` (default: /var/tmp, which is on a real disk). Its lock says that the run lives."""
    base = base or "/var/tmp"
    for stale in glob.glob(os.path.join(base, _PREFIX + "*")):
        _remove_if_abandoned(stale)
    path = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
    with open(os.path.join(path, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield path
        finally:
            remove_tree(path)


def _remove_if_abandoned(path: str) -> None:
    try:
        young = time.time() - os.stat(path).st_mtime < _YOUNG_SECONDS
        lock_fd = os.open(os.path.join(path, ".lock"), os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # not ours, or gone
        return
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pass  # its run lives
    else:
        if not young:  # else it may be between being made and being locked
            remove_tree(path)
    finally:
        os.close(lock_fd)


def remove_tree(path: str) -> None:
    """Remove a tree with files of subordinate users in it; nothing happens when it is not there."""
    if not os.path.lexists(path):
        return
    try:
        shutil.rmtree(path)
    except OSError:
        idmap.run_inside(lambda: _remove_as_root(path), what=f"removing {path}")


def _remove_as_root(path: str) -> None:
    for directory, names, _ in os.walk(path):
        for name in names:
            full = os.path.join(directory, name)
            if not os.path.islink(full):
                os.chmod(full, 0o700)
    shutil.rmtree(path, ignore_errors=True)
