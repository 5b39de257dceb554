"""The leak check: after a test, nothing may be left that was not there before.

Looked at: processes (everything below the keeper, so whatever a test started, however it detached), and with them
namespaces and listening sockets, which live no longer than a process unless something is mounted; mounts; cgroups;
files in the engine's directories. Deletion behind a command's back is waited for by its process, with a deadline.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support import keeper
from tests.support.engine import Engine
from tests.support.keeper import Process

# It only bounds a failure. What deletes trees behind a command does so at nice 10, which takes long on a busy machine.
WAIT_SECONDS = 45.0


@dataclass
class Watch:
    """What is allowed to stay for the whole run: session servers, and podman's pause process."""

    allowed: set[int] = field(default_factory=set)
    engines: list[Engine] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def before(self) -> Picture:
        return Picture(
            processes=set(keeper.descendants()),
            mounts=_mounts("self", None),
            cgroups=_cgroups(),
        )

    def after(self, before: Picture) -> list[str]:
        """What has been left since, as sentences. Processes that were left are ended."""
        found = self._processes(before)
        deadline = time.monotonic() + WAIT_SECONDS
        while (rest := self._rest(before)) and time.monotonic() < deadline and not found:
            time.sleep(0.01)
        return found + rest

    def _processes(self, before: Picture) -> list[str]:
        deadline = time.monotonic() + WAIT_SECONDS
        # Again after each wait: one that ended may have started another meanwhile.
        while (left := self._new(before)) and (rest := deadline - time.monotonic()) > 0:
            keeper.wait_for_end(left, rest)
        found = [process.describe() for process in left]
        while left:  # their children become visible orphans
            for process in left:
                process.kill()
            keeper.wait_for_end(left, 1)
            left = self._new(before)
        return found

    def _new(self, before: Picture) -> list[Process]:
        return [
            process
            for process in keeper.descendants()
            if process not in before.processes
            and process.pid not in self.allowed
            and not _is_pause(process)
        ]

    def _rest(self, before: Picture) -> list[str]:
        found = [f"mount {mount}" for mount in sorted(_mounts("self", None) - before.mounts)]
        for process in keeper.descendants():
            if _is_pause(process):
                # Its directories of network namespaces and layers are mounts themselves; what is in them would be left.
                found += [
                    f"mount {mount} of podman's pause process"
                    for mount in _mounts(process.pid, self.paths)
                    if "/netns (" not in mount and "/overlay (" not in mount
                ]
        found += [f"cgroup {path}" for path in sorted(_cgroups() - before.cgroups)]
        for engine in self.engines:
            found += engine.leftovers()
        return found


@dataclass(frozen=True)
class Picture:
    processes: set[Process]
    mounts: set[str]
    cgroups: set[str]


def _is_pause(process: Process) -> bool:
    """Podman keeps one process that holds its user and mount namespaces."""
    words = process.command()
    return words[:2] == ["catatonit", "-P"] or words[:1] == ["podman pause"]


def _mounts(pid: int | str, below: Iterable[str] | None) -> set[str]:
    """Mount points of a process, with the device so that a second mount on one place is another."""
    try:
        with open(f"/proc/{pid}/mountinfo") as file:
            lines = [line.split() for line in file]
    except OSError:
        return set()
    return {
        f"{fields[4]} ({fields[0]} {fields[2]})"
        for fields in lines
        if below is None or any(fields[4].startswith(path + "/") for path in below)
    }


def _cgroups() -> set[str]:
    """Directories below the cgroup that was delegated to this run (as-user), or of a session that are ours by name."""
    top = os.environ.get("POD_TEST_CGROUP")
    if top:
        return {directory for directory, _, _ in os.walk(top)}
    user = os.getuid()
    top = f"/sys/fs/cgroup/user.slice/user-{user}.slice/user@{user}.service"
    return {
        os.path.join(directory, name)
        for directory, names, _ in os.walk(top)
        for name in names
        if "pod" in name or "conmon" in name or "crun" in name
    }
