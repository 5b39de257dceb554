"""Give what is mounted to the container's user: the option U of `--volume`, `--mount` and `--tmpfs`.

Symbolic links are not followed, and other mounts of the container are left out. What has that owner already is not
touched, so that a second start costs a walk and no writes.
"""

from __future__ import annotations

import errno
import os

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class CannotGive(PodError):
    """The owner of something mounted cannot be changed."""

    def __init__(self, path: str, uid: int, gid: int, error: OSError) -> None:
        why = {
            errno.EPERM: "some of it belongs to somebody else",
            errno.EINVAL: "these ids are not among those that the container has",
            errno.EROFS: "it is mounted read-only",
        }.get(error.errno or 0, error.strerror or str(error))
        super().__init__(
            f"'{path}' cannot be given to user {uid}:{gid}: {why}", hint="leave the option U out"
        )


def give(paths: Iterable[str], uid: int, gid: int, others: Iterable[str]) -> None:
    """Change the owner of these files and trees. Call as root of the user namespace in which the ids are meant.

    `others` are the places of all mounts; where one of them is below one of `paths`, it stays as it is.
    """
    skipped = {os.path.realpath(other) for other in others}
    for path in paths:
        try:
            _give_tree(os.path.realpath(path), uid, gid, skipped)
        except OSError as error:
            raise CannotGive(path, uid, gid, error) from error


def _give_tree(top: str, uid: int, gid: int, skipped: set[str]) -> None:
    _give(top, None, uid, gid)
    for directory, names, files, fd in os.fwalk(top, follow_symlinks=False, onerror=_fail):
        names[:] = [name for name in names if os.path.join(directory, name) not in skipped]
        for name in (*names, *files):
            if os.path.join(directory, name) not in skipped:
                _give(name, fd, uid, gid)


def _give(path: str, directory_fd: int | None, uid: int, gid: int) -> None:
    try:
        status = os.stat(path, dir_fd=directory_fd, follow_symlinks=False)
        if (status.st_uid, status.st_gid) != (uid, gid):
            os.chown(path, uid, gid, dir_fd=directory_fd, follow_symlinks=False)
    except FileNotFoundError:
        if directory_fd is None:
            raise  # what is below may be removed meanwhile by another container


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
