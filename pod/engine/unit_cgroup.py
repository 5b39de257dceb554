"""Containers in the cgroup of the systemd unit that runs them: `--cgroups=split`, and units that pod has written.

systemd then counts what they use as the unit's, and what outlives its monitor ends with the unit. The unit must have
Delegate=yes (systemd.resource-control(5)): its processes are moved to one group in its cgroup, since a group with
processes of its own cannot give controllers to others (cgroups(7)), and the container gets another.
"""

from __future__ import annotations

import os

from pod.engine import pod_cgroup
from pod.linux import cgroups
from pod.state import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig

UNIT = "PODMAN_SYSTEMD_UNIT"
"""The variable with the unit's name; also the label that a container gets with it, as podman calls both."""
_SUPERVISOR = "supervisor"


def directory(engine: Engine, config: ContainerConfig) -> str | None:
    """The cgroup of the unit that we are in, if the container belongs there: not in one of a pod with limits."""
    if config.cgroup_parent or (config.cgroups != "split" and UNIT not in os.environ):
        return None
    if config.pod and (pod := pods.by_id(engine.database, config.pod)) and pod_cgroup.limits(pod):
        return None
    group = (cgroups.own_group() or "").removesuffix(f"/{_SUPERVISOR}")
    path = cgroups.MOUNT + group
    if not group.endswith(".service") or not os.access(f"{path}/cgroup.procs", os.W_OK):
        return None
    return path


def make_room(path: str) -> None:
    """Move the processes of the unit, which are this one and its monitor, to a group of theirs."""
    try:
        os.mkdir(f"{path}/{_SUPERVISOR}")
    except FileExistsError:
        pass
    with open(f"{path}/cgroup.procs", encoding="ascii") as file:
        found = [int(line) for line in file]
    for pid in found:
        try:
            cgroups.enter(f"{path}/{_SUPERVISOR}", pid)
        except ProcessLookupError:
            pass
