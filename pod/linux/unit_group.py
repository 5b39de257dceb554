"""The cgroup of the systemd unit that this process was started by, and room in it for groups of containers.

The unit must have Delegate=yes (systemd.resource-control(5)): its processes are moved to one group in its cgroup, since
a group with processes of its own cannot give controllers to others (cgroups(7), "no internal processes").
"""

from __future__ import annotations

import _thread
import os

from pod.linux import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

UNIT = "PODMAN_SYSTEMD_UNIT"
"""The variable with the unit's name, as podman calls it."""
_SUPERVISOR = "supervisor"
_ROUNDS = 100  # of looking for processes that were forked meanwhile

_begun: list[_thread.LockType] = []  # moves that a thread makes; held until they are done


def directory() -> str | None:
    """The cgroup of the service that we are in, if we may make groups in it."""
    group = (cgroups.own_group() or "").removesuffix(f"/{_SUPERVISOR}")
    path = cgroups.MOUNT + group
    if not group.endswith(".service") or not os.access(f"{path}/cgroup.procs", os.W_OK):
        return None
    return path


def begin_to_make_room(wait_for: Callable[[], object] | None) -> None:
    """Make room, as far as possible, by a thread, which calls `wait_for` first.

    The kernel has the first move of a process wait for all processors (`cgroups.get_ready_to_move`), 10 ms and more,
    and the caller has other things to do. Nobody can fork meanwhile.
    """
    path = directory()
    if path is None:
        return
    lock = _thread.allocate_lock()
    lock.acquire()
    _begun.append(lock)
    _thread.start_new_thread(_move, (path, lock, wait_for))


def _move(path: str, lock: _thread.LockType, wait_for: Callable[[], object] | None) -> None:
    try:
        if wait_for is not None:
            wait_for()
        _make_room(path)
    except OSError:
        pass  # said by `make_room`, if room is needed
    finally:
        lock.release()


def make_room(path: str) -> None:
    """Move the processes of the unit, which are this one and its monitor, to a group of theirs."""
    while _begun:
        _begun.pop().acquire()
    _make_room(path)


def _make_room(path: str) -> None:
    supervisor = f"{path}/{_SUPERVISOR}"
    try:
        os.mkdir(supervisor)
    except FileExistsError:
        pass
    for _ in range(_ROUNDS):
        with open(f"{path}/cgroup.procs", encoding="ascii") as file:
            found = file.read().split()
        if not found:
            return
        for pid in found:
            try:
                cgroups.enter(supervisor, int(pid))
            except ProcessLookupError:
                pass
