"""The storage drivers by name, best first, and the choice between them."""

from __future__ import annotations

import os

from pod.base import files, log
from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from storage.overlayfs import Marks
    from storage.root_mount import RootMount

    class Driver(Protocol):
        """Root file systems in container directories, on layers that all drivers share."""

        name: str
        is_whole: bool  # what the container has is the whole tree, and not only what differs from the layers

        def probe(self, root: str) -> str:
            """ "" when the driver works on the root directory `root`, otherwise why not, in words."""

        def create(self, directory: str, lowers: list[str]) -> RootMount:
            """Make what a new container needs in `directory`; `lowers` are layer directories, topmost first."""

        def describe(self, directory: str, lowers: list[str]) -> RootMount:
            """How to mount what `create` made."""

        def changes(self, directory: str) -> str:
            """The directory with what the container wrote."""

        def marks(self) -> Marks:
            """What marks in that directory, and in the layers, look like."""


NAMES = ("overlay", "fuse-overlayfs", "copy")
_MODULES = {
    "overlay": "storage.drivers.overlay",
    "fuse-overlayfs": "storage.drivers.fuse_overlayfs",
    "copy": "storage.drivers.copy",
}
_OTHER_NAMES = {"overlay2": "overlay", "fuse_overlayfs": "fuse-overlayfs", "vfs": "copy"}


class DriverUnusable(PodError):
    """The storage driver that was asked for does not work here."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"storage driver '{name}' cannot be used: {why}",
            hint=f"leave --storage-driver out, or choose one of {', '.join(NAMES)}",
        )


def by_name(name: str) -> Driver:
    """The driver with this name. Raises DriverUnusable for a name that we do not know."""
    name = _OTHER_NAMES.get(name, name)
    if name not in _MODULES:
        raise DriverUnusable(name, "there is none of this name")
    driver: Driver = __import__(_MODULES[name], fromlist=["DRIVER"]).DRIVER
    return driver


def choose(root: str, forced: str | None) -> Driver:
    """See RootFileSystems.driver."""
    probes = known_probes(root)
    if forced is not None:
        driver = by_name(forced)
        if probes.get(driver.name) != "":
            why = driver.probe(root)
            _keep(root, {**probes, driver.name: why})
            if why:
                raise DriverUnusable(driver.name, why)
        return driver
    for name in NAMES:
        if name not in probes:
            probes[name] = by_name(name).probe(root)
            _keep(root, probes)
            log.debug(f"storage driver {name}: {probes[name] or 'works'}")
        if probes[name] == "":
            return by_name(name)
    raise DriverUnusable(NAMES[-1], probes[NAMES[-1]])


def known_probes(root: str) -> dict[str, str]:
    """By driver, "" or why it does not work, as found out earlier with the same kernel."""
    try:
        document = files.read_json(f"{root}/storage.json")
    except (FileNotFoundError, files.DamagedFile):
        return {}
    if not isinstance(document, dict) or document.get("kernel") != os.uname().release:
        return {}
    probes = document.get("probes")
    return dict(probes) if isinstance(probes, dict) else {}


def _keep(root: str, probes: dict[str, str]) -> None:
    document = {"kernel": os.uname().release, "probes": probes}
    files.write_json(f"{root}/storage.json", document, sync=False)
