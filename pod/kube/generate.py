"""`kube generate`: containers, pods and volumes as Kubernetes documents, which play back to the same."""

from __future__ import annotations

import posixpath

from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from pod.engine import clone, pod_members
from pod.kube import describe
from pod.state import containers, pods
from pod.state import volumes as volume_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.state.containers import Container
    from pod.state.pods import Pod
    from pod.state.volumes import Volume

TYPES = ("pod", "deployment", "daemonset", "job")


class GenerateOptions(Record):
    """`replicas` of a deployment; `service` for a Service with the published ports before the rest."""

    kind: str = "pod"
    replicas: int = 1
    service: bool = False
    podman_only: bool = False


def documents(
    engine: Engine, names: Sequence[str], options: GenerateOptions
) -> list[dict[str, Any]]:
    """The documents for names of containers, pods and volumes: volumes first. Raises PodError."""
    loose: list[Container] = []
    grouped: list[Pod] = []
    claims: list[Volume] = []
    for name in names:
        found = _find(engine, name)
        if isinstance(found, pods.Pod):
            grouped.append(found)
        elif isinstance(found, containers.Container):
            if found.config.pod:
                raise PodError(
                    f"container '{found.name}' is in a pod, which is generated as a whole",
                    hint=f"pod kube generate {pods.names(engine.database).get(found.config.pod, 'POD')}",
                )
            loose.append(found)
        else:
            claims.append(found)
    out = [describe.claim(volume) for volume in claims]
    for pod in grouped:
        members = pod_members.of(engine, pod)
        infra = next((one for one in members if one.config.is_infra), None)
        others = [one for one in members if not one.config.is_infra]
        out += _wrapped(_pod(engine, pod.name, pod, infra, others, options), options)
    if loose:
        out += _wrapped(_pod(engine, f"{loose[0].name}-pod", None, None, loose, options), options)
    return out


def _find(engine: Engine, name: str) -> Pod | Container | Volume:
    """What has this name or id: a container before a pod before a volume, as podman looks for it."""
    try:
        return containers.find(engine.database, name)
    except containers.NoSuchContainer:
        pass
    try:
        return pods.find(engine.database, name)
    except pods.NoSuchPod:
        pass
    volume = volume_rows.get(engine.database, name)
    if volume is None:
        raise PodError(f"no container, pod or volume has the name or id '{name}'", hint="pod ps -a")
    return volume


def _wrapped(pod: dict[str, Any], options: GenerateOptions) -> list[dict[str, Any]]:
    """The pod as the kind that was asked for, with its service before it."""
    name, labels = pod["metadata"]["name"], pod["metadata"]["labels"]
    spec = pod["spec"]
    found = [describe.service(pod)] if options.service else []
    if options.kind == "pod":
        return [*found, pod]
    kinds = {"deployment": "Deployment", "daemonset": "DaemonSet", "job": "Job"}
    policy = spec["restartPolicy"]
    if options.kind == "job":
        if policy == "Always":
            spec["restartPolicy"] = "OnFailure"
    elif policy != "Always":
        raise UsageError(
            f"a {kinds[options.kind]} starts its pods again always, and pod '{name}' has the restart policy {policy}",
            hint="--type pod, or --type job",
        )
    template = {"metadata": {"labels": labels}, "spec": spec}
    if "annotations" in pod["metadata"]:
        template["metadata"]["annotations"] = pod["metadata"]["annotations"]
    body: dict[str, Any] = {"template": template}
    if options.kind != "job":
        body["selector"] = {"matchLabels": labels}
    if options.kind == "deployment":
        body["replicas"] = options.replicas
    workload = name.removesuffix("-pod")
    return [
        *found,
        {
            "apiVersion": "batch/v1" if options.kind == "job" else "apps/v1",
            "kind": kinds[options.kind],
            "metadata": {"name": workload, "labels": labels},
            "spec": body,
        },
    ]


def _pod(
    engine: Engine,
    name: str,
    pod: Pod | None,
    infra: Container | None,
    members: Sequence[Container],
    options: GenerateOptions,
) -> dict[str, Any]:
    """A document of kind Pod. Without a pod, the first container's own namespaces are the pod's."""
    typed = {one.id: clone.as_typed(one, clone.execution_of(engine, one)) for one in members}
    if not typed:
        raise PodError(
            f"pod '{name}' has no containers but its infra container",
            hint=f"pod run --pod {name} IMAGE",
        )
    if infra is None:
        first = typed[members[0].id]
        for one in members[1:]:
            if (
                typed[one.id].networking.ports
                or typed[one.id].networking.network != first.networking.network
            ):
                raise PodError(
                    f"containers '{members[0].name}' and '{one.name}' are on networks of their own, and those of a pod "
                    "are on one",
                    hint="generate them one by one, or make a pod of them first: pod run --pod new:NAME",
                )
        shared = first
    else:
        shared = clone.as_typed(infra, {})
    volumes: dict[str, dict[str, Any]] = {}
    annotations: dict[str, str] = {}
    parts: dict[str, list[dict[str, Any]]] = {"initContainers": [], "containers": []}
    ports = describe.ports(shared)
    for one in members:
        config = typed[one.id]
        short = _label(one.name.removeprefix(f"{name}-") or one.name)
        part = describe.container(short, config, volumes)
        annotations |= describe.annotations_of(short, config, podman_only=options.podman_only)
        if ports and not config.init_kind:
            part["ports"], ports = ports, []
        parts["initContainers" if config.init_kind else "containers"].append(part)
    spec: dict[str, Any] = {key: value for key, value in parts.items() if value}
    spec |= describe.shared(shared, pod, name)
    # A pod has one time for all of its containers: the longest will do for each.
    seconds = [typed[one.id].stop_timeout for one in members]
    if min(seconds) >= 0 and max(seconds) != engine.settings.engine.stop_timeout:
        spec["terminationGracePeriodSeconds"] = max(seconds)
    if volumes:
        spec["volumes"] = list(volumes.values())
    spec["restartPolicy"] = _restart(
        pod, [typed[one.id] for one in members if not typed[one.id].init_kind]
    )
    labels = dict((pod.config.labels if pod else {}) or {"app": posixpath.basename(name)})
    metadata: dict[str, Any] = {"name": name, "labels": labels}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _label(name: str) -> str:
    """A name as Kubernetes wants it of containers (RFC 1123, label)."""
    return name.replace("_", "-").replace(".", "-").lower()[:63].strip("-")


def _restart(pod: Pod | None, configs: Sequence[ContainerConfig]) -> str:
    """One policy for all containers, as Kubernetes has it: that of the pod, else the strongest."""
    names = {config.restart.name for config in configs}
    if pod is not None and pod.config.restart.name != "no":
        names = {pod.config.restart.name}
    if names & {"always", "unless-stopped"}:
        return "Always"
    return "OnFailure" if "on-failure" in names else "Never"
