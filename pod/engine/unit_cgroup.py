"""Containers in the cgroup of the systemd unit that runs them: `--cgroups=split`, and units that pod has written.

systemd then counts what they use as the unit's, and what outlives its monitor ends with the unit.
"""

from __future__ import annotations

import os

from pod.engine import pod_cgroup
from pod.linux import unit_group
from pod.state import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig


def directory(engine: Engine, config: ContainerConfig) -> str | None:
    """The cgroup of the unit that we are in, if the container belongs there: not in one of a pod with limits."""
    if config.cgroup_parent or (config.cgroups != "split" and unit_group.UNIT not in os.environ):
        return None
    if config.pod and (pod := pods.by_id(engine.database, config.pod)) and pod_cgroup.limits(pod):
        return None
    return unit_group.directory()
