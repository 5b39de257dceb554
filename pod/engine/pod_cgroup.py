"""The cgroup of a pod, in which those of its containers are, with the limits that they share."""

from __future__ import annotations

from pod.engine import facts
from pod.engine.facts import Placement
from pod.linux.cgroups import GROUP_PREFIX
from pod.spec.cgroup_values import cgroup_files
from pod.state import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.pods import Pod


def placement(
    engine: Engine,
    container: Container,
    root: str | None,
    files: dict[str, str],
    asked: tuple[str, ...],
) -> Placement:
    """Where a container of a pod is put; `root` is the delegated directory, `files` are the limits of its own."""
    pod = pods.by_id(engine.database, container.config.pod)
    if pod is None:
        raise pods.NoSuchPod(container.config.pod)
    shared = limits(pod)
    told = tuple(f"{name} (of the pod)" for name in shared) if _tells(pod, container) else ()
    parent = container.config.cgroup_parent or pod.config.cgroup_parent
    if root is None:
        # systemd takes no group of ours around its scopes.
        if scope := facts.scope_for(engine, container, parent):
            return Placement("", files, (*asked, *told), told, scope=scope)
        return Placement("", files, (*asked, *told), (*asked, *told))
    directory = facts.parent_in(root, parent)
    if not _is_inside(pod, container):
        return Placement(f"{directory}/pod-{container.id}", files, asked)
    group = group_of(pod, directory, "")
    return Placement(
        f"{group}/pod-{container.id}",
        files,
        asked,
        group={"path": group, "files": shared, "tells": bool(told)},
    )


def path_of(engine: Engine, container: Container, root: str) -> str:
    """Where the cgroup of a container of a pod is, if it has one."""
    pod = pods.by_id(engine.database, container.config.pod)
    parent = container.config.cgroup_parent or (pod.config.cgroup_parent if pod else "")
    if pod is None or not _is_inside(pod, container):
        return "/".join(filter(None, (root, parent.strip("/"), f"pod-{container.id}")))
    return f"{group_of(pod, root, parent)}/pod-{container.id}"


def group_of(pod: Pod, root: str, parent: str) -> str:
    """The directory of the pod's cgroup, below the delegated one."""
    return "/".join(filter(None, (root, parent.strip("/"), f"{GROUP_PREFIX}{pod.id}")))


def limits(pod: Pod) -> dict[str, str]:
    """The files of the pod's cgroup."""
    resources = pod.config.resources
    return cgroup_files(resources, facts.device_numbers(resources))


def _is_inside(pod: Pod, container: Container) -> bool:
    """One with a --cgroup-parent of its own is elsewhere."""
    return pod.config.has_cgroup and not container.config.cgroup_parent


def _tells(pod: Pod, container: Container) -> bool:
    """Whether it is this container at whose start limits of the pod are said not to be applied."""
    return container.config.is_infra or not pod.config.infra
