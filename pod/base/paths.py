"""Every directory and file name that pod uses, in one place.

The *root directory* lasts; the *run directory* is on a file system that is empty after a reboot. Paths are strings;
nothing is created here but by `make_private`.
"""

from __future__ import annotations

import os
import stat

from pod.base.errors import PodError

ROOT_NAMES = (
    "build",
    "cache",
    "configs",
    "containers",
    "events",
    "images",
    "layers",
    "locks",
    "secrets",
    "snapshots",
    "staging",
    "trash",
    "pod.db",
    "pod.db.reserve",
    "pod.db-shm",
    "pod.db-wal",
    "storage.json",
)
"""What pod makes in its root directory, besides the directory of volumes, which may be elsewhere."""
_FILES = ("pod.db", "storage.json")


class UnsafeDirectory(PodError):
    """A directory that somebody else could change."""


class NotOurs(PodError):
    """A root directory in which there is something else."""


class Paths:
    """The paths below one root directory and one run directory."""

    def __init__(self, root: str, runroot: str, volumes: str = "") -> None:
        self.root = root
        self.runroot = runroot
        self.volumes = volumes or f"{root}/volumes"

    @property
    def database(self) -> str:
        return f"{self.root}/pod.db"

    @property
    def layers(self) -> str:
        return f"{self.root}/layers"

    @property
    def locks(self) -> str:
        return f"{self.root}/locks"

    @property
    def cache(self) -> str:
        return f"{self.root}/cache"

    @property
    def events(self) -> str:
        return f"{self.root}/events"

    @property
    def containers(self) -> str:
        return f"{self.root}/containers"

    def container(self, container_id: str) -> str:
        """What belongs to a container and lasts: its layer, log, hosts file."""
        return f"{self.root}/containers/{container_id}"

    def renamed(self, container_id: str) -> str:
        """Is there when the container was given another name than it was made with, or somebody tried to."""
        return f"{self.root}/containers/{container_id}/renamed"

    def container_lock(self, container_id: str) -> str:
        return f"{self.root}/locks/container-{container_id}"

    def project_lock(self, name: str) -> str:
        """Held by the command that makes the containers of a project of compose files."""
        return f"{self.root}/locks/project-{name}"

    @property
    def snapshots(self) -> str:
        """Of the volumes of projects, see compose/snapshot.py."""
        return f"{self.root}/snapshots"

    def volume_lock(self, name: str) -> str:
        return f"{self.root}/locks/volume-{name}"

    @property
    def run_containers(self) -> str:
        return f"{self.runroot}/containers"

    def run(self, container_id: str) -> str:
        """What belongs to a container while it runs: monitor lock, state, exit status, socket."""
        return f"{self.runroot}/containers/{container_id}"


def check_root(root: str) -> None:
    """Raise NotOurs for a directory that is in use for something else: pod deletes what it does not know in its own."""
    if os.path.lexists(f"{root}/pod.db") or os.path.lexists(f"{root}/images/oci-layout"):
        return
    try:
        names = os.listdir(root)
    except OSError:
        return  # it will be made, or the first use says what is wrong with it
    for name in sorted(names):
        # Those of files may have an addition while they are written.
        if name not in {*ROOT_NAMES, "volumes", "lost+found"} and not name.startswith(_FILES):
            raise NotOurs(
                f"the root directory '{root}' holds '{name}', which is not pod's",
                hint="choose a directory that is new or empty: pod --root DIRECTORY",
            )


HOLDER_SOCKET = "holder.sock"  # of the holder of networks, in its directory
HOLDER_PASTA = "pasta.pid"  # of the pasta that connects it, where that is one
HOLDER_LOST = "outside.lost"  # is there while nothing connects the holder with the world
MOUNTED_FILE = "mounted.json"
"""In the directory of a container that `pod mount` has mounted: where."""

UNSHARED_ROOT, UNSHARED_RUNROOT = "_POD_ROOT", "_POD_RUNROOT"
"""Variables in which `pod unshare` tells the pods inside of it which directories it was called with."""


def is_rootless() -> bool:
    """Whether the caller is an ordinary user, also one who is root of a namespace made by `pod unshare`."""
    return os.geteuid() != 0 or UNSHARED_ROOT in os.environ


def default_root() -> str:
    """Where images and containers are kept unless `--root` or storage.conf says otherwise."""
    if not is_rootless():
        return "/var/lib/pod"
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(home(), ".local/share")
    return os.path.join(data, "pod")


def default_runroot() -> str:
    """Where the state of running containers is kept unless `--runroot` or storage.conf says otherwise."""
    if not is_rootless():
        return "/run/pod"
    directory = os.environ.get("XDG_RUNTIME_DIR")
    if directory and os.access(directory, os.W_OK):
        return os.path.join(directory, "pod")
    return f"/tmp/pod-run-{os.geteuid()}"


def home() -> str:
    """The caller's home directory; HOME wins over the user database, as in podman."""
    directory = os.environ.get("HOME")
    if directory:
        return directory
    import pwd

    return pwd.getpwuid(os.getuid()).pw_dir


def make_private(path: str) -> None:
    """Make a directory, and those above it, that only the caller can enter. One that is there must be the caller's."""
    try:
        try:
            os.mkdir(path, 0o700)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            os.mkdir(path, 0o700)
        return
    except FileExistsError:
        pass
    except OSError as error:
        raise cannot_be_made(path, error) from error
    try:
        status = os.stat(path)
    except OSError as error:  # a symbolic link to nothing
        raise cannot_be_made(path, error) from error
    if not stat.S_ISDIR(status.st_mode):
        raise UnsafeDirectory(f"'{path}' is not a directory", hint=_OTHER)
    if status.st_uid != os.geteuid():
        raise UnsafeDirectory(
            f"directory '{path}' belongs to user {status.st_uid}, not to you ({os.geteuid()})",
            hint=_OTHER,
        )


_OTHER = "choose another with --root or --runroot"


def cannot_be_made(path: str, error: OSError) -> PodError:
    """The error for people."""
    return PodError(f"directory '{path}' cannot be made: {error.strerror}", hint=_OTHER)
