"""Overlay mounted by the kernel, as an ordinary user since Linux 5.11.

See Documentation/filesystems/overlayfs.rst; `userxattr` keeps its marks where a user namespace may write them.
"""

from __future__ import annotations

import errno
import os
import stat

from pod.base.errors import PodError
from pod.linux import idmap
from storage import overlayfs, removal
from storage.root_mount import RootMount, of_overlay
from storage.staging import Staging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Overlay:
    """`upper` and `work` in the container directory."""

    name = "overlay"
    is_whole = False

    def probe(self, root: str) -> str:
        """Mount one, in a user namespace, with everything that we rely on."""
        tree = Staging(root).create()
        marks = overlayfs.marks_here()
        try:
            return str(
                idmap.run_inside(lambda: _try(tree.path, marks), what="try an overlay mount")
            )
        except PodError as error:
            return error.message
        finally:
            removal.remove_tree(tree.path)
            tree.discard()

    def create(self, directory: str, lowers: list[str]) -> RootMount:
        make_upper(directory, lowers)
        return self.describe(directory, lowers)

    def describe(self, directory: str, lowers: list[str]) -> RootMount:
        return of_overlay(directory, lowers)

    def changes(self, directory: str) -> str:
        return f"{directory}/upper"

    def marks(self) -> overlayfs.Marks:
        return overlayfs.marks_here()


DRIVER = Overlay()


def make_upper(directory: str, lowers: list[str]) -> None:
    """`upper` and `work`. Owner and mode of `upper` are what the container sees at "/"."""
    upper = f"{directory}/upper"
    os.mkdir(upper, 0o700)
    os.mkdir(f"{directory}/work", 0o700)
    if not lowers:
        os.mkdir(f"{directory}/empty", 0o755)
        os.chmod(upper, 0o755)
        return
    source = lowers[overlayfs.explicit_top(lowers)]
    top = os.stat(source)
    ours = os.stat(upper)
    if (top.st_uid, top.st_gid) != (ours.st_uid, ours.st_gid):
        owner = (top.st_uid, top.st_gid)
        try:
            os.chown(upper, *owner)
        except PermissionError:
            idmap.run_inside(
                lambda: _copy_owner(source, upper),
                what="set the owner of a directory",
                namespaces=0,
            )
            return
    os.chmod(upper, stat.S_IMODE(top.st_mode))


def _copy_owner(source: str, target: str) -> None:
    status = os.stat(source)
    os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, stat.S_IMODE(status.st_mode))


def _try(tree: str, marks: overlayfs.Marks) -> str:
    from pod.linux import mounts  # heavy, and not needed to describe a mount

    def mount(lowers: list[str], upper: str, work: str, merged: str) -> None:
        mounts.mount_overlay(lowers, upper, work, merged, marks.mount_options)

    return try_mount(tree, marks, mount)


def try_mount(
    tree: str, marks: overlayfs.Marks, mount: Callable[[list[str], str, str, str], None]
) -> str:
    """Inside: "" when an overlay in the directory `tree` shows and hides what it should, otherwise why not."""
    lowers = [f"{tree}/lower1", f"{tree}/lower2"]
    upper, work, merged = f"{tree}/upper", f"{tree}/work", f"{tree}/merged"
    for directory in (*lowers, upper, work, merged, f"{lowers[0]}/sub", f"{lowers[1]}/sub"):
        os.mkdir(directory, 0o755)
    for name in ("kept", "gone", "sub/hidden"):
        os.close(os.open(f"{lowers[1]}/{name}", os.O_CREAT | os.O_WRONLY, 0o644))
    try:
        _mark(lowers[0], marks)
        mount(lowers, upper, work, merged)
        os.unlink(f"{merged}/kept")
    except OSError as error:
        return _words(error)
    if os.listdir(merged) != ["sub"] or os.listdir(f"{merged}/sub"):
        return "what is marked as removed is still visible"
    return ""


def _mark(lower: str, marks: overlayfs.Marks) -> None:
    fd = os.open(lower, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        marks.make_whiteout(fd, b"gone")
    finally:
        os.close(fd)
    fd = os.open(f"{lower}/sub", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        marks.make_opaque(fd)
    finally:
        os.close(fd)


def _words(error: OSError) -> str:
    special = {
        errno.EPERM: "the kernel does not let ordinary users mount overlays (that needs Linux 5.11)",
        errno.ENODEV: "this kernel has no overlay file system",
        errno.EINVAL: "the file system of the root directory cannot be used with overlay",
        errno.ENOTSUP: "the file system of the root directory has no extended attributes for users",
    }
    return special.get(error.errno or 0) or f"the mount fails: {error.strerror}"
