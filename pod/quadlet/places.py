"""Where quadlets are looked for, in podman's order, and which drop-ins belong to one.

Source: podman-systemd.unit(5), "unit search path", and systemd.unit(5) for drop-ins.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES = (
    "artifact",
    "build",
    "container",
    "image",
    "kube",
    "network",
    "pod",
    "volume",
)
_DIRECTORIES = "QUADLET_UNIT_DIRS"
_ADMIN = "/etc/containers/systemd"


def own_directory(*, user: bool) -> str:
    """Where `pod quadlet install` puts files."""
    if not user:
        return _ADMIN
    home = os.environ.get("HOME") or os.path.expanduser("~")
    return f"{os.environ.get('XDG_CONFIG_HOME') or f'{home}/.config'}/containers/systemd"


def search_directories(*, user: bool) -> list[str]:
    """The directories, the first of which wins; QUADLET_UNIT_DIRS, with colons, replaces them."""
    if given := os.environ.get(_DIRECTORIES):
        return [path for path in given.split(":") if path]
    if not user:
        return ["/run/containers/systemd", _ADMIN, "/usr/share/containers/systemd"]
    found = [own_directory(user=True), f"{_ADMIN}/users/{os.getuid()}", f"{_ADMIN}/users"]
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        found.insert(0, f"{runtime}/containers/systemd")
    return found


class Found:
    """Files of units by name, drop-ins by directory name, and directories that could not be read."""

    def __init__(self) -> None:
        self.units: dict[str, str] = {}
        self.drop_ins: dict[str, dict[str, str]] = {}
        """ "web.container.d" -> {"10-a.conf": path}."""
        self.failures: list[OSError] = []


def find(directories: Sequence[str]) -> Found:
    """Look through the directories and those in them; the first file of a name wins."""
    found = Found()
    seen: set[tuple[int, int]] = set()
    for directory in directories:
        _look(directory, found, seen, directory)
    return found


def _look(directory: str, found: Found, seen: set[tuple[int, int]], top: str) -> None:
    try:
        status = os.stat(directory)
        names = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        found.failures.append(error)
        return
    if (status.st_dev, status.st_ino) in seen:  # a link back, or a directory named twice
        return
    seen.add((status.st_dev, status.st_ino))
    inner = []
    for name in names:
        path = f"{directory}/{name}"
        stem, _, suffix = name.rpartition(".")
        if suffix == "d" and (stem in SUFFIXES or stem.rpartition(".")[2] in SUFFIXES):
            _look_for_drop_ins(path, found.drop_ins.setdefault(name, {}), found)
        elif stem and suffix in SUFFIXES and not os.path.isdir(path):
            found.units.setdefault(name, path)
        elif os.path.isdir(path):
            inner.append(path)
    for path in inner:
        # The directories of all users are beside that of one.
        if not (top == f"{_ADMIN}/users" and os.path.basename(path).isdigit()):
            _look(path, found, seen, top)


def _look_for_drop_ins(directory: str, into: dict[str, str], found: Found) -> None:
    try:
        names = os.listdir(directory)
    except OSError as error:
        found.failures.append(error)
        return
    for name in names:
        if name.endswith(".conf"):
            into.setdefault(name, f"{directory}/{name}")


def drop_ins_of(name: str, found: Found) -> list[str]:
    """The drop-ins of the unit `name`, in the order in which they are read."""
    stem, _, suffix = name.rpartition(".")
    directories = [f"{suffix}.d"]
    base, at, _ = stem.partition("@")
    parts = base.split("-")
    directories += ["-".join(parts[:count]) + f"-.{suffix}.d" for count in range(1, len(parts))]
    if at and stem != f"{base}@":
        directories.append(f"{base}@.{suffix}.d")
    directories.append(f"{name}.d")
    chosen: dict[str, str] = {}
    for directory in directories:
        chosen.update(found.drop_ins.get(directory, {}))
    return [chosen[file] for file in sorted(chosen)]
