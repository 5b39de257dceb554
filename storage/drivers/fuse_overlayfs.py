"""Overlay by the program fuse-overlayfs, for kernels and file systems where an ordinary user may not mount one.

It reads the same layers as the kernel's overlay. See fuse-overlayfs(1).
"""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.linux import idmap, syscalls
from storage import overlayfs, removal
from storage.drivers import overlay
from storage.root_mount import RootMount
from storage.staging import Staging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_PROGRAM = "fuse-overlayfs"


class FuseOverlayfs:
    """`upper` and `work` in the container directory, as with the kernel's overlay."""

    name = "fuse-overlayfs"
    is_whole = False

    def probe(self, root: str) -> str:
        """Mount one, in a user namespace, with everything that we rely on."""
        program = _find_program()
        if program is None:
            return "the program fuse-overlayfs is not installed"
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            return "/dev/fuse cannot be opened"
        if ":" in root:
            return (
                "it takes every colon for a separator, and the root directory has one in its name"
            )
        tree = Staging(root).create()
        marks = overlayfs.marks_here()
        try:
            return str(
                idmap.run_inside(lambda: _try(program, tree.path, marks), what=f"try {_PROGRAM}")
            )
        except PodError as error:
            return error.message
        finally:
            removal.remove_tree(tree.path)
            tree.discard()

    def create(self, directory: str, lowers: list[str]) -> RootMount:
        overlay.make_upper(directory, lowers)
        return self.describe(directory, lowers)

    def describe(self, directory: str, lowers: list[str]) -> RootMount:
        below = tuple(lowers) or (f"{directory}/empty",)
        upper, work = f"{directory}/upper", f"{directory}/work"
        program = command(_find_program() or _PROGRAM, below, upper, work)
        return RootMount(
            kind="fuse-overlayfs", lowers=below, upper=upper, work=work, program=program
        )

    def changes(self, directory: str) -> str:
        return f"{directory}/upper"

    def marks(self) -> overlayfs.Marks:
        return overlayfs.marks_here(by_name=True)


DRIVER = FuseOverlayfs()


def command(program: str, lowers: Iterable[str], upper: str, work: str) -> tuple[str, ...]:
    """What to run; the mount point follows as the last argument."""
    values = (("lowerdir", ":".join(lowers)), ("upperdir", upper), ("workdir", work))
    return program, "-o", ",".join(f"{key}={_escape(value)}" for key, value in values)


def command_to_read(lowers: Iterable[str]) -> tuple[str, ...]:
    """As `command`, of what nobody writes to."""
    return _find_program() or _PROGRAM, "-o", f"lowerdir={_escape(':'.join(lowers))}"


def _escape(text: str) -> str:
    """As libfuse reads the values of its options."""
    return text.replace("\\", "\\\\").replace(",", "\\,")


def _find_program() -> str | None:
    for directory in os.environ.get("PATH", os.defpath).split(":"):
        path = f"{directory}/{_PROGRAM}"
        if os.access(path, os.X_OK):
            return path
    return None


def _try(program: str, tree: str, marks: overlayfs.Marks) -> str:
    def mount(lowers: list[str], upper: str, work: str, merged: str) -> None:
        import subprocess  # heavy

        # It goes to the background when the mount is there, and ends with the mount.
        arguments = [*command(program, lowers, upper, work), merged]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PodError(f"{_PROGRAM} fails: {done.stderr.strip()}")

    why = overlay.try_mount(tree, marks, mount)
    if not why:
        syscalls.umount2(f"{tree}/merged", syscalls.MNT_DETACH)
    return why
