"""What a power cut and a new start leave of an engine: as far as it can be had without rebooting."""

from __future__ import annotations

import json
import sqlite3

from pod.linux import cgroups
from tests.support import keeper
from tests.support.engine import Engine
from tests.support.places import remove_tree


def cut_power(pod: Engine, *running: str) -> None:
    """End the containers `running`, which are all, unseen; the run directory goes, and the boot id changes."""
    pids: list[int] = []
    groups: list[str] = []
    for name in running:
        state = json.loads(pod("inspect", "-f", "{{json .State}}", name).out)
        pids += [state["ConmonPid"], state["Pid"]]
        if state["CgroupPath"]:
            groups.append(f"/sys/fs/cgroup{state['CgroupPath']}")
    processes = [process for process in keeper.descendants() if process.pid in pids]
    for process in processes:
        process.kill()
    assert not keeper.wait_for_end(processes, 20)
    for group in groups:
        cgroups.remove_with_processes(group)
    remove_tree(pod.runroot)
    with sqlite3.connect(f"{pod.root}/pod.db") as database:
        database.execute("UPDATE containers SET boot_id = 'an earlier one'")
    database.close()
