"""Mounting the files of a stage in a child of the build, with whatever storage driver there is.

Call these as root of the id map, in a mount namespace of one's own.
"""

from __future__ import annotations

from pod.linux import mounts, syscalls
from storage import overlayfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def mount(root: dict[str, Any], place: str) -> None:
    """Mount what Staged.mount describes on the directory `place`."""
    if root["kind"] == "overlay":
        mounts.mount_overlay(root["lowers"], root["upper"], root["work"], place, root["options"])
    elif root["kind"] == "copy":
        mounts.bind(root["path"], place)
    else:
        _serve(root, place)


def mount_to_read(lowers: list[str], place: str, driver: str) -> None:
    """Show the tree that the directories `lowers` make, topmost first, on the empty directory `place`.

    With the driver "copy" it is copied there, and `unmount` leaves that.
    """
    if len(lowers) == 1:
        mounts.bind(lowers[0], place)
    elif driver == "overlay":
        mounts.mount_overlay(lowers, "", "", place, overlayfs.marks_here().mount_options)
    elif driver == "copy":
        from storage.drivers import copy

        copy.copy_layers(lowers, place, overlayfs.marks_here())
        mounts.bind(place, place)
    else:
        from storage.drivers import fuse_overlayfs

        _serve({"kind": "fuse-overlayfs", "program": fuse_overlayfs.command_to_read(lowers)}, place)


def unmount(place: str) -> None:
    """Undo it; whatever still has a file open keeps that."""
    syscalls.umount2(place, syscalls.MNT_DETACH)


def _serve(root: dict[str, Any], place: str) -> None:
    from pod.runtime import fuse

    server = fuse.start(root, closed_sources=False)
    assert server is not None
    server.mount(place)
