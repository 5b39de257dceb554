"""How a container becomes part of a pod: what it shares with the others, and what it takes over from the pod."""

from __future__ import annotations

from pod.base.errors import PodError, UsageError
from pod.engine import create, pod_create, pod_members
from pod.spec.namespaces import Namespace, Network
from pod.spec.pods import FIELDS
from pod.spec.userns import UserNamespace
from pod.state import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.state.pods import Pod


def shares_network(pod: Pod, own: Set[str]) -> bool:
    """Whether a container of the pod that chose `own` namespaces is in the pod's network."""
    return bool(pod.config.infra) and "net" in pod.config.share and "net" not in own


def join(engine: Engine, config: ContainerConfig, pod: Pod, own: Set[str]) -> ContainerConfig:
    """The configuration of a container in the pod.

    `own` are the namespaces (of pod.spec.pods.SHARED) for which something else was chosen, and "restart" if that was.
    """
    if config.init_kind:
        _check_not_running(engine, pod)
    changes: dict[str, Any] = {"pod": pod.id}
    if "restart" not in own and not config.auto_remove and not config.init_kind:
        changes["restart"] = pod.config.restart
    infra = pod_members.infra_of(engine, pod)
    if infra is None:
        return config.replace(**changes)
    if infra.status != "active":
        engine.split_monitor()  # it will be started first
    shared = [kind for kind in pod.config.share if kind not in own]
    for kind in shared:
        if kind == "net":
            changes["networking"] = config.networking.replace(
                network=Network("container", infra.id), publish_all=False, expose=()
            )
        elif kind == "user":
            changes["userns"] = UserNamespace("container", infra.id)
        else:
            changes[FIELDS[kind]] = Namespace("container", infra.id)
    if "uts" in shared:
        changes["hostname"] = infra.config.hostname
    if not shared:
        changes["requires"] = (*config.requires, infra.id)
    return _with_what_the_pod_has(config, infra.config).replace(**changes)


def _with_what_the_pod_has(config: ContainerConfig, infra: ContainerConfig) -> ContainerConfig:
    """Mounts, devices and security options of the pod, unless the container has its own in their place."""
    taken = {mount.target for mount in config.mounts}
    sources = {device.target for device in config.devices}
    changes: dict[str, Any] = {
        "mounts": (*config.mounts, *(it for it in infra.mounts if it.target not in taken)),
        "devices": (*config.devices, *(it for it in infra.devices if it.target not in sources)),
    }
    if config.security == config.security.__class__():
        changes["security"] = infra.security
    return config.replace(**changes)


def kept_user(engine: Engine, config: ContainerConfig) -> str:
    """Who a container without a user of its own runs as: in the user namespace of a pod with keep-id, the caller."""
    pod = pods.by_id(engine.database, config.pod)
    infra = None if pod is None else pod_members.infra_of(engine, pod)
    if infra is None or infra.config.userns.mode != "keep-id":
        return ""
    network = config.networking.network
    is_inside = any(
        it.joined == infra.id
        for it in (config.ipc, config.pid, config.uts, config.cgroupns, config.userns, network)
    )
    return create.kept_user(infra.config) if is_inside else ""


def _check_not_running(engine: Engine, pod: Pod) -> None:
    from pod.engine import pod_list

    if pod_list.state(engine, pod) in {"Running", "Degraded", "Paused"}:
        raise PodError(
            f"pod '{pod.name}' runs, and an init container runs before the others",
            hint=f"pod pod stop {pod.name}",
        )


def new(engine: Engine, name: str, config: ContainerConfig) -> tuple[Pod, ContainerConfig]:
    """Make the pod of `--pod new:NAME`, which gets the network of the container; the container's without it."""
    from pod.engine.presets import container_preset
    from pod.spec.container import Networking
    from pod.spec.pods import USUALLY_SHARED, PodConfig

    try:
        pods.find(engine.database, name)
    except pods.NoSuchPod:
        pass
    else:
        raise UsageError(f"there is a pod '{name}' already", hint=f"--pod {name}")
    infra = container_preset(engine.settings).replace(
        networking=config.networking,
        userns=config.userns,
        hostname=config.hostname,
        create_command=config.create_command,
    )
    pod = pod_create.create_pod(
        engine,
        PodConfig(
            share=USUALLY_SHARED,
            exit_policy=engine.settings.engine.pod_exit_policy,
            create_command=config.create_command,
            create_directory=config.create_directory,
        ),
        infra,
        name=name,
    )
    return pod, config.replace(networking=Networking(), userns=UserNamespace(), hostname="")
