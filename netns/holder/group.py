"""The cgroup of the holder and its outside helper: their own, since they are there for containers of several commands.

In the group of the command that started them they would count for its limits and end with its service or session.
Where a part of the tree is delegated, the group is made in it; elsewhere systemd is asked for a scope.
"""

from __future__ import annotations

import os

from pod.base import log
from pod.linux import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PREFIX = "networks-"
_FILE = "cgroup"  # in the holder's directory: the group that was made
_ALWAYS_THERE = "init.scope"  # of systemd's user manager, in what it delegates


def path_in(root: str | None, directory: str) -> str:
    """The group of the holder of this directory; "" where nothing is delegated."""
    from binascii import crc32

    return f"{root}/{PREFIX}{crc32(directory.encode()):08x}" if root else ""


class Group:
    """A delegated group, made and entered by the holder. One that cannot be had is done without."""

    def __init__(self, path: str, directory: str) -> None:
        self._path = path
        self._note = f"{directory}/{_FILE}"
        self._before = f"{cgroups.MOUNT}{cgroups.own_group()}"
        try:
            with open(self._note, "w", encoding="utf-8") as file:
                file.write(path)
            os.makedirs(path, exist_ok=True)
            cgroups.enter(path, 0)
        except OSError as error:
            log.debug(f"the holder of the networks has no cgroup of its own: {error}")

    def take(self, pid: int) -> None:
        """Move another process into it."""
        try:
            cgroups.enter(self._path, pid)
        except OSError as error:
            log.debug(f"process {pid} stays in the cgroup where it was started: {error}")

    def leave(self) -> None:
        """Remove it, as the last thing but the end: for that its process has to be elsewhere."""
        for elsewhere in self._elsewhere():
            try:
                cgroups.enter(elsewhere, 0)
                break
            except OSError:
                continue  # it went with those who were in it
        else:
            log.debug("the cgroup of the networks is left to the next command")
            return
        try:
            # A process that has ended, and was seen to, may be in its group for a moment yet.
            cgroups.remove_with_processes(self._path)
            os.unlink(self._note)
        except OSError as error:
            log.debug(f"the cgroup of the networks is left to the next command: {error}")

    def _elsewhere(self) -> list[str]:
        """Groups where the process may perhaps spend its last moment, those that are most likely to be there first."""
        root = os.path.dirname(self._path)
        found = [self._before, f"{root}/{_ALWAYS_THERE}", root]
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
        # Those of containers may have no room for another process.
        return found + [
            f"{root}/{it}" for it in names if not it.startswith(("pod-", "group-", PREFIX))
        ]


def remove_lost(directory: str) -> None:
    """Remove the group that a holder which was killed has left, with what is in it."""
    note = f"{directory}/{_FILE}"
    try:
        with open(note, encoding="utf-8") as file:
            path = file.read()
    except OSError:
        return
    if os.path.dirname(path).startswith(cgroups.MOUNT) and PREFIX in os.path.basename(path):
        cgroups.remove_with_processes(path)
    os.unlink(note)


def ask_for_scope(scope: dict[str, Any], pids: list[int]) -> None:
    """Have systemd put these processes into a scope. Where it does not, they stay where they are."""
    from pod.linux import scopes  # heavy

    try:
        scopes.start(scope, pids, delegate=False)
    except scopes.ScopeRefused as error:
        log.debug(str(error))
