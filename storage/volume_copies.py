"""Copies of whole volumes: for snapshots, which share blocks with the volume where the file system can."""

from __future__ import annotations

import errno
import os

from pod.linux import idmap, syscalls
from storage import overlayfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.staging import Staging

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = "_data.restored"


def copy_trees(pairs: Sequence[tuple[str, str]]) -> None:
    """Copy each tree to a path where nothing is yet, with owners and all, and write it to the disk.

    What was copied stays when it fails; the caller discards it. Call with a single thread.
    """
    marks = overlayfs.marks_here()
    idmap.run_inside(lambda: _copy(pairs, marks), what="copy volumes", namespaces=0)


def _copy(pairs: Sequence[tuple[str, str]], marks: overlayfs.Marks) -> None:
    from storage import copying, merged

    for source, target in pairs:
        os.mkdir(target, 0o700)
        target_fd = os.open(target, _DIRECTORY)
        try:
            with merged.open_merged([source], marks) as root:
                copying.copy_merged(root, target_fd)
            syscalls.syncfs(target_fd)
        finally:
            os.close(target_fd)


def prepare(staging: Staging, data: str, source: str) -> None:
    """Copy `source` beside the directory `data` of a volume; `exchange` puts it there."""
    new = _beside(data)
    staging.discard(new)  # of a command that was killed
    copy_trees([(source, new)])


def exchange(staging: Staging, data: str) -> None:
    """Put what was prepared into the place of `data`, which goes. Nobody sees neither of them."""
    new = _beside(data)
    try:
        syscalls.renameat2(new, data, syscalls.RENAME_EXCHANGE)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS}:
            raise
        staging.discard(data)  # a file system without it, such as NFS
        os.rename(new, data)
    staging.discard(new)


def _beside(data: str) -> str:
    return f"{os.path.dirname(data)}/{_NEW}"
