"""Containers in the cgroup of the systemd unit that runs them: `--cgroups=split`, and units that pod has written.

systemd then counts what they use as the unit's, and what outlives its monitor ends with the unit.
"""

from __future__ import annotations

import os

from pod.linux import unit_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig


def directory(engine: Engine, config: ContainerConfig) -> str | None:
    """The cgroup of the unit that we are in, if the container belongs there: not in one of a pod with limits."""
    if config.cgroup_parent or (config.cgroups != "split" and unit_group.UNIT not in os.environ):
        return None
    return None if config.pod and _has_limits(engine, config.pod) else unit_group.directory()


def _has_limits(engine: Engine, pod_id: str) -> bool:
    from pod.engine import pod_cgroup
    from pod.state import pods

    pod = pods.by_id(engine.database, pod_id)
    return pod is not None and bool(pod_cgroup.limits(pod))
