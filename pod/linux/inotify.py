"""Be told when a file changes. See inotify(7)."""

from __future__ import annotations

import ctypes
import os

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_MOVED_FROM = 0x40
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
_IN_CLOEXEC = 0o2000000
_IN_NONBLOCK = 0o4000

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """A descriptor that is readable when the watched file has changed. The holder closes it."""

    def __init__(self, path: str, events: int) -> None:
        self._fd = open_instance(path)
        try:
            add_watch(self._fd, path, events)
        except OSError:
            os.close(self._fd)
            raise

    def fileno(self) -> int:
        return self._fd

    def take(self) -> None:
        """Forget the events so far."""
        try:
            while os.read(self._fd, 65536):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        os.close(self._fd)


def open_instance(path: str) -> int:
    """A descriptor for watches, which the caller closes; `path` is for errors. EMFILE: too many of this user."""
    return _checked(_libc.inotify_init1(_IN_CLOEXEC | _IN_NONBLOCK), path)


def add_watch(fd: int, path: str, events: int) -> int:
    """The number of a watch. ENOSPC: too many of this user (/proc/sys/fs/inotify/max_user_watches)."""
    return _checked(_libc.inotify_add_watch(fd, os.fsencode(path), ctypes.c_uint32(events)), path)


def _checked(result: int, path: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result
