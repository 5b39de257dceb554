"""What the descriptors of processes tell: how far a command has come, and what was left open."""

from __future__ import annotations

import gc
import os


def is_attached(pid: int) -> bool:
    """Whether the command of this process serves its connection; the monitor has been told by then."""
    return any("eventpoll" in link for link in descriptors(pid))


def has_connection(pid: int) -> bool:
    """Whether the process, or a child of it, has a socket open."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        pids = [pid, *map(int, file.read().split())]
    return any(link.startswith("socket:") for one in pids for link in descriptors(one))


def own_descriptors() -> list[str]:
    """The numbers of the descriptors of this process, without those of objects that nobody has any more.

    A test that has caught an error leaves a cycle with all that its frames held, until somebody collects.
    """
    gc.collect()
    return sorted(os.listdir("/proc/self/fd"))


def descriptors(pid: int) -> list[str]:
    """What the descriptors of a process are; none of one that has ended."""
    links = []
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except OSError:
                continue  # closed meanwhile
    except OSError:
        pass
    return links
