"""How overlay marks what hides a lower layer, and what pod keeps in extended attributes of its own.

Source: Documentation/filesystems/overlayfs.rst of the kernel, "whiteouts and opaque directories" and "User xattr".
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OWNER_XATTR = "user.pod.owner"
"""In single-id mode: "UID:GID:MODE", the mode in octal: what the file has in the image."""

IMPLICIT_XATTR = "user.pod.implicit"
"""On the top directory of a layer whose archive says nothing about it: then that of the next layer counts."""

WHITEOUT_PREFIX = ".wh."
OPAQUE_NAME = ".wh..wh..opq"

_OWN_PREFIXES = (b"user.overlay.", b"user.fuseoverlayfs.", b"user.containers.", b"user.pod.")
_WHOLE_RANGE = "4294967295"


class Marks:
    """Marks in the form of one mount option: "user." attributes with `userxattr`, "trusted." for the real root.

    With `by_name`, files whose names begin with `.wh.` are marks too, as fuse-overlayfs writes them.
    """

    def __init__(self, prefix: str, *, by_name: bool = False) -> None:
        self.prefix = prefix
        self.by_name = by_name
        self._opaque = f"{prefix}opaque"
        self._whiteout = f"{prefix}whiteout"

    @property
    def mount_options(self) -> tuple[str, ...]:
        """What overlay must be told so that it reads these marks, and writes no others than we read."""
        if self.prefix.startswith("user."):
            return ("userxattr",)
        return ("redirect_dir=off", "metacopy=off")

    def make_whiteout(self, directory_fd: int, name: bytes) -> None:
        """Hide `name` of the lower layers."""
        try:
            os.mknod(name, stat.S_IFCHR, 0, dir_fd=directory_fd)
        except PermissionError:  # a user namespace before Linux 5.8, or a filter
            self.make_whiteout_file(directory_fd, name)

    def make_whiteout_file(self, directory_fd: int, name: bytes) -> None:
        """As make_whiteout, in the form without device files, which overlay knows since Linux 6.7."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(name, flags, 0o000, dir_fd=directory_fd)
        try:
            os.setxattr(fd, self._whiteout, b"y")
        finally:
            os.close(fd)
        readable_fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory_fd)
        try:
            if not self.is_opaque(readable_fd):
                os.setxattr(readable_fd, self._opaque, b"x")
        finally:
            os.close(readable_fd)

    def make_opaque(self, directory_fd: int) -> None:
        """Hide everything that the lower layers have in this directory."""
        os.setxattr(directory_fd, self._opaque, b"y")

    def is_opaque(self, directory_fd: int) -> bool:
        """Whether the directory hides what is below it."""
        if _xattr(directory_fd, self._opaque) == b"y":
            return True
        return self.by_name and _exists(OPAQUE_NAME, directory_fd)

    def is_whiteout(self, status: os.stat_result) -> bool:
        """Whether a file with this lstat(2) result is a whiteout, in the form of a device file."""
        return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0

    def is_whiteout_file(self, directory_fd: int, name: str, status: os.stat_result) -> bool:
        """As is_whiteout, in both forms; the other one is an empty file in a directory that says so."""
        if self.is_whiteout(status):
            return True
        if not stat.S_ISREG(status.st_mode) or status.st_size:
            return False
        if _xattr(directory_fd, self._opaque) != b"x":
            return False
        path = f"/proc/self/fd/{directory_fd}/{name}"
        return _xattr(path, self._whiteout) is not None


def explicit_top(layers: Sequence[str | int]) -> int:
    """Which of these layer directories is the topmost one whose archive says what "/" is like."""
    for index, layer in enumerate(layers):
        try:
            if _xattr(layer, IMPLICIT_XATTR) is None:
                return index
        except PermissionError:
            return index  # an implicit one could be read by everybody
    return len(layers) - 1


def is_own_xattr(name: bytes) -> bool:
    """Whether an attribute means something to overlay, fuse-overlayfs or pod, so that an image must not set it."""
    return name.startswith(_OWN_PREFIXES)


def _exists(name: str, directory_fd: int) -> bool:
    try:
        os.lstat(name, dir_fd=directory_fd)
    except FileNotFoundError:
        return False
    return True


def _xattr(file: int | str, name: str) -> bytes | None:
    try:
        return os.getxattr(file, name)
    except OSError as error:
        if error.errno in {errno.ENODATA, errno.ENOTSUP, errno.EPERM}:
            return None
        raise


def _prefix() -> str:
    """The real root may set trusted attributes; root of a user namespace may not, xattr(7)."""
    if os.geteuid() != 0:
        return "user.overlay."
    with open("/proc/self/uid_map", encoding="ascii") as file:
        is_initial = file.read().split() == ["0", "0", _WHOLE_RANGE]
    return "trusted.overlay." if is_initial else "user.overlay."


def marks_here(*, by_name: bool = False) -> Marks:
    """The marks for layers of the caller; call it in the command's own process, not inside the id map."""
    return Marks(_prefix(), by_name=by_name)
