"""`--chown`: users and groups as the image knows them."""

from __future__ import annotations

import os
import stat

from pod.base.errors import PodError
from pod.linux import inroot
from pod.spec import users

_MOST_BYTES = 4 << 20


def find_owner(root_fd: int, text: str) -> tuple[int, int]:
    """USER[:GROUP], names or numbers, in the file system `root_fd`. A user alone brings the group of their own.

    Raises PodError for names that the image does not know.
    """
    user, _, group = text.partition(":")
    if user.isdecimal() and (group.isdecimal() or not group):
        return int(user), int(group or user)
    passwd, groups = _read(root_fd, "/etc/passwd"), _read(root_fd, "/etc/group")
    found = users.lookup(text if user else f"0:{group}", passwd, groups)
    gid = found.gid
    if user.isdecimal() and not group:
        gid = int(user)
    return found.uid, gid


def _read(root_fd: int, path: str) -> str:
    """A text file of the image; "" when it is missing."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        fd = inroot.open_at(root_fd, path, flags)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise PodError(f"'{path}' of the image cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
            raise PodError(f"'{path}' of the image is not a file of users")
        return os.read(fd, status.st_size).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)
