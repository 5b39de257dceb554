"""The containers that run at this moment, by what their monitors say alone.

For commands that need no more of a row than its name: opening the database takes longer than to look at thirty
containers.
"""

from __future__ import annotations

import os

from pod.state import reconcile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.base.paths import Paths
    from pod.state.reconcile import Run


def by_monitors(paths: Paths) -> list[tuple[str, Run]] | None:
    """(id, run) of all running containers, the oldest first; None where only the database can tell.

    That is so as soon as anything is unusual: nothing runs, a container is paused, being started, restarted or removed,
    has lost its monitor, was renamed, or belongs to another root directory.
    """
    try:
        names = os.listdir(paths.run_containers)
    except OSError:
        return None
    found = []
    for container_id in names:
        run = reconcile.read_run(paths.run(container_id))
        is_plain = run.condition == "running" and run.state.get("root") == paths.root
        if not is_plain or os.access(paths.renamed(container_id), os.F_OK):
            return None
        found.append((container_id, run))
    if not found or not os.access(paths.database, os.F_OK):
        return None
    found.sort(key=lambda it: (it[1].state["created_ns"], it[0]))
    return found
