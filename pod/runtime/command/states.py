"""The state directory: one directory for each container, with what later commands need of it.

    ROOT/ID/state.json      who it is; written when it is created
    ROOT/ID/config.json     the configuration as it was then, for hooks and `exec`
    ROOT/ID/start           the socket on which process 1 waits for `start`; it is gone after that
    ROOT/ID/seccomp.bpf     the compiled filter
    ROOT/ID/rootfs          where the root file system is mounted, in the container's mount namespace alone
    ROOT/ID/notify/         for the socket through which the container says that it is ready

See the OCI runtime specification, runtime.md, "State" and "Lifecycle".
"""

from __future__ import annotations

import os
import shutil

from pod.base import files
from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import cgroups, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, ClassVar

STATE = "state.json"
CONFIG = "config.json"
START = "start"
SECCOMP = "seccomp.bpf"
ROOTFS = "rootfs"
NOTIFY = "notify"
OCI_VERSION = "1.2.0"

_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-")
_LONGEST = 255


class NoSuchContainer(PodError):
    """No container of this name is in the state directory."""


class Saved(Record):
    """state.json. `pid` is 0 while the container is being created; `started` is the process's start time."""

    id: str
    bundle: str
    rootfs: str
    created: str
    owner: str
    pid: int = 0
    started: int = 0
    cgroup: str = ""
    keyring: bool = True
    notify: str = ""  # the caller's NOTIFY_SOCKET
    annotations: Mapping[str, str] = {}

    nested: ClassVar = {}


def default_root() -> str:
    """Where states are kept unless --root says otherwise."""
    directory = os.environ.get("XDG_RUNTIME_DIR")
    if directory and directory.startswith("/"):
        return f"{directory}/pod-runtime"
    return "/run/pod-runtime" if os.geteuid() == 0 else f"/tmp/pod-runtime-{os.geteuid()}"


def check_id(text: str) -> str:
    """The name of a container, if it is one."""
    if not text or len(text) > _LONGEST or text in {".", ".."} or not _CHARACTERS.issuperset(text):
        raise PodError(
            f"container name '{text[:80]}' is not valid: letters, digits and _ + - . are allowed"
        )
    return text


class States:
    """The state directory."""

    def __init__(self, root: str) -> None:
        self.root = root

    def directory(self, name: str) -> str:
        return f"{self.root}/{check_id(name)}"

    def make(self, name: str) -> str:
        """A new directory for a container. Raises PodError when there is one of this name."""
        path = self.directory(name)
        try:
            os.makedirs(self.root, 0o700, exist_ok=True)
            status = os.stat(self.root)
            if status.st_uid != os.geteuid():
                raise PodError(f"the state directory '{self.root}' belongs to somebody else")
            os.mkdir(path, 0o700)
            # A container's root that is a stranger passes through on its way to what is mounted here.
            os.mkdir(f"{path}/{ROOTFS}", 0o755)
        except FileExistsError:
            raise PodError(f"container '{name}' exists already") from None
        except OSError as error:
            raise PodError(
                f"the state directory '{path}' cannot be made: {error.strerror}"
            ) from error
        return path

    def save(self, saved: Saved) -> None:
        files.write_json(f"{self.directory(saved.id)}/{STATE}", saved.to_json(), sync=False)

    def load(self, name: str) -> Saved:
        """Raises NoSuchContainer."""
        try:
            return Saved.from_json(files.read_json(f"{self.directory(name)}/{STATE}"))
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchContainer(
                f"container '{name}' does not exist: no such file or directory"
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PodError(f"the state of container '{name}' cannot be read: {error}") from error

    def config(self, name: str) -> dict[str, Any]:
        """The configuration with which the container was created."""
        document: dict[str, Any] = files.read_json(f"{self.directory(name)}/{CONFIG}")
        return document

    def names(self) -> list[str]:
        try:
            return sorted(
                entry.name for entry in os.scandir(self.root) if entry.is_dir(follow_symlinks=False)
            )
        except FileNotFoundError:
            return []

    def status(self, saved: Saved) -> str:
        """creating, created, running, paused or stopped."""
        if not saved.pid:
            return "creating"
        if not processes.is_alive(saved.pid, saved.started):
            return "stopped"
        if os.path.exists(f"{self.directory(saved.id)}/{START}"):
            return "created"
        if saved.cgroup and cgroups.is_frozen(saved.cgroup):
            return "paused"
        return "running"

    def document(self, saved: Saved, status: str = "") -> dict[str, Any]:
        """The state as hooks read it and `state` prints it."""
        status = status or self.status(saved)
        return {
            "ociVersion": OCI_VERSION,
            "id": saved.id,
            "status": status,
            "pid": 0 if status == "stopped" else saved.pid,
            "bundle": saved.bundle,
            "annotations": saved.annotations,
        }

    def remove(self, name: str) -> None:
        shutil.rmtree(self.directory(name), ignore_errors=True)
