"""How to mount the root file system of a container: all that a start needs to know of storage.

What makes, compares and measures root file systems is in rootfs.py, and loads ten times as much.
"""

from __future__ import annotations

from pod.base import files
from pod.base.errors import PodError
from pod.base.records import Record
from storage import overlayfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FILE = "rootfs.json"


class RootMount(Record):
    """How to get a root file system. All paths are absolute; `to_json` of it goes to the runtime."""

    kind: str
    """ "overlay": mount `lowers`, topmost first, with `upper` and `work`; "fuse-overlayfs": run `program` with the
    mount point as last argument, outside of the container's process namespace; "copy": bind `path`."""
    lowers: tuple[str, ...] = ()
    upper: str = ""
    work: str = ""
    path: str = ""
    options: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    apart: bool = False
    """`program` runs in a user namespace with the usual map, where the layers have the owners of the image, and serves
    a container with another map."""


class NoRootFileSystem(PodError):
    """A directory has no container's root file system in it."""

    def __init__(self, directory: str) -> None:
        super().__init__(f"'{directory}' has no root file system", hint="pod system check")


def path_of(directory: str) -> str:
    """The file that says what the container in `directory` stands on: "driver", "layers", topmost first, and more."""
    return f"{directory}/{_FILE}"


def document_of(directory: str) -> dict[str, Any]:
    """What the file of `path_of` says. Raises NoRootFileSystem."""
    try:
        document: dict[str, Any] = files.read_json(path_of(directory))
    except FileNotFoundError:
        raise NoRootFileSystem(directory) from None
    return document


def layer_paths(root: str, names: list[str]) -> list[str]:
    """Where the layers with these names are in the store at `root`."""
    return [f"{root}/layers/{name}" for name in names]


def plain(root: str, directory: str) -> RootMount | None:
    """How to mount what is in `directory`; None for what is not the usual case, see RootFileSystems.describe.

    The usual case is the kernel's overlay, and layers with the usual owners. Raises NoRootFileSystem.
    """
    document = document_of(directory)
    if document["driver"] != "overlay" or "maps" in document or document.get("apart"):
        return None
    return of_overlay(directory, layer_paths(root, document["layers"]))


def of_overlay(directory: str, lowers: list[str]) -> RootMount:
    """An overlay of layer directories, topmost first, and of what the container in `directory` writes."""
    return RootMount(
        kind="overlay",
        lowers=tuple(lowers) or (f"{directory}/empty",),
        upper=f"{directory}/upper",
        work=f"{directory}/work",
        options=overlayfs.marks_here().mount_options,
    )
