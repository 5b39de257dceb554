"""A plain copy of all layers for each container: slow and large, and it works on every file system."""

from __future__ import annotations

import os

from storage import overlayfs, removal
from storage.root_mount import RootMount


class Copy:
    """`root` in the container directory."""

    name = "copy"
    is_whole = True

    def probe(self, root: str) -> str:
        """It needs nothing but space."""
        return ""

    def create(self, directory: str, lowers: list[str]) -> RootMount:
        target = f"{directory}/root"
        os.mkdir(target, 0o755)
        marks = overlayfs.marks_here()
        removal.run_as_owner(
            lambda: copy_layers(lowers, target, marks), what="copy the layers of an image"
        )
        return self.describe(directory, lowers)

    def describe(self, directory: str, lowers: list[str]) -> RootMount:
        return RootMount(kind="copy", path=f"{directory}/root")

    def changes(self, directory: str) -> str:
        return f"{directory}/root"

    def marks(self) -> overlayfs.Marks:
        return overlayfs.marks_here()


DRIVER = Copy()


def copy_layers(lowers: list[str], target: str, marks: overlayfs.Marks) -> None:
    """Copy the tree that the directories `lowers` make, topmost first, into the directory `target`; as root."""
    from storage import copying, merged

    if not lowers:
        return
    target_fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with merged.open_merged(lowers, marks) as tree:
            copying.copy_merged(tree, target_fd)
    finally:
        os.close(target_fd)
