"""What builds keep outside of the store while they run: directories, cgroups, network helpers; what is left of it."""

from __future__ import annotations

import os

from netns import release
from pod.base import files, locks
from pod.linux import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine

CGROUP_FILE = "cgroup"


def directory(engine: Engine) -> str:
    """Where the run directories of builds are, each beside a lock file of its name."""
    return f"{engine.paths.runroot}/builds"


def clear_up(engine: Engine) -> None:
    """Remove what killed builds have left. A directory listing when there is nothing."""
    top = directory(engine)
    try:
        names = os.listdir(top)
    except FileNotFoundError:
        return
    for name in {it.removesuffix(".lock") for it in names}:
        lock = locks.FileLock(f"{top}/{name}.lock")
        try:
            lock.acquire(wait=False)
        except locks.Busy:
            continue
        remove(f"{top}/{name}")
        lock.remove()


def remove(run_directory: str) -> None:
    """Remove the run directory of a build with all that its commands have left."""
    from storage import removal

    try:
        names = os.listdir(run_directory)
    except FileNotFoundError:
        return
    for name in names:
        if os.path.isdir(f"{run_directory}/{name}"):
            end_command(f"{run_directory}/{name}")
    removal.remove_tree(run_directory)


def end_command(command_directory: str) -> None:
    """End what is left of one command, by its directory in the run directory, and remove that."""
    from storage import removal

    release.release_lost(command_directory)
    try:
        cgroup = files.read_text(f"{command_directory}/{CGROUP_FILE}")
    except FileNotFoundError:
        cgroup = ""
    if cgroup and os.path.isdir(cgroup):
        cgroups.remove_with_processes(cgroup)
    removal.remove_tree(command_directory)
