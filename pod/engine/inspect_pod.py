"""The document that `pod pod inspect` shows of a pod: podman's, field by field, so that scripts find what they know."""

from __future__ import annotations

from pod.base import times
from pod.engine import pod_cgroup, pod_list, pod_members
from pod.linux import cgroups
from pod.spec.ports import port_bindings
from pod.state import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.spec.resources import Resources

NOT_FOUND = pods.NoSuchPod


def document(engine: Engine, text: str, *, size: bool = False) -> dict[str, Any]:
    """Everything about the pod `text`. Raises NoSuchPod."""
    pod = pods.find(engine.database, text)
    listed = pod_list.listed(engine, pod)
    infra = pod_members.infra_of(engine, pod)
    config = pod.config
    found: dict[str, Any] = {
        "Id": pod.id,
        "Name": pod.name,
        "Created": times.rfc3339(pod.created_ns, local=True),
        "CreateCommand": list(config.create_command),
        "ExitPolicy": config.exit_policy,
        "State": listed.state,
        "Hostname": config.hostname,
        "Labels": dict(config.labels),
        "CreateCgroup": config.has_cgroup,
        "CgroupParent": config.cgroup_parent,
        "CgroupPath": _cgroup_path(engine, pod),
        "CreateInfra": bool(config.infra),
        "InfraContainerID": config.infra,
        "InfraConfig": None if infra is None else _infra_config(infra.config),
        "SharedNamespaces": list(config.share) if config.infra else [],
        "NumContainers": len(listed.containers),
        "Containers": [
            {"Id": it.summary.id, "Name": it.summary.name, "State": it.state}
            for it in listed.containers
        ],
        **_limits(config.resources),
        "RestartPolicy": config.restart.name,
        "LockNumber": 0,
    }
    if infra is not None:
        found |= _files(engine, infra.config)
    optional = (
        "Labels",
        "CgroupParent",
        "CgroupPath",
        "InfraConfig",
        "SharedNamespaces",
        "Containers",
    )
    return {key: value for key, value in found.items() if value or key not in optional}


def _cgroup_path(engine: Engine, pod: pods.Pod) -> str:
    """Where the pod's cgroup is, or will be, below the mount of the hierarchy."""
    root = cgroups.delegated_root()
    if root is None or not pod.config.has_cgroup:
        return ""
    return pod_cgroup.group_of(pod, root, pod.config.cgroup_parent).removeprefix(cgroups.MOUNT)


def _infra_config(config: ContainerConfig) -> dict[str, Any]:
    networking = config.networking
    mode = networking.network.mode
    return {
        "PortBindings": port_bindings(networking.ports),
        "HostNetwork": mode == "host",
        "StaticIP": next(iter(networking.network.values("ip")), ""),
        "StaticMAC": next(iter(networking.network.values("mac")), ""),
        "NoManageResolvConf": networking.dns == ("none",),
        "DNSServer": list(networking.dns) or None,
        "DNSSearch": list(networking.dns_search) or None,
        "DNSOption": list(networking.dns_options) or None,
        "NoManageHostname": not networking.manage_hostname,
        "NoManageHosts": not networking.manage_hosts,
        "HostAdd": list(networking.hosts) or None,
        "HostsFile": networking.hosts_file,
        "Networks": [it.joined for it in networking.user_defined] or None,
        "NetworkOptions": {
            it.joined or it.mode: list(it.options)
            for it in (networking.network, *networking.more_networks)
            if it.options
        }
        or None,
        "pid_ns": str(config.pid) or "private",
        "userns": config.userns.mode or "host",
        "uts_ns": str(config.uts) or "private",
    }


def _limits(resources: Resources) -> dict[str, Any]:
    """Those that were asked for."""
    named: dict[str, Any] = {
        "cpu_period": resources.cpu_period,
        "cpu_quota": resources.cpu_quota,
        "cpu_shares": resources.cpu_shares,
        "cpuset_cpus": resources.cpuset_cpus,
        "cpuset_mems": resources.cpuset_mems,
        "memory_limit": resources.memory,
        "memory_swap": resources.memory_swap,
        "blkio_weight": resources.blkio_weight,
        "blkio_weight_device": [
            {"Path": it.device, "Weight": it.value} for it in resources.blkio_weight_devices
        ],
        "device_read_bps": [{"Path": it.device, "Rate": it.value} for it in resources.read_bps],
        "device_write_bps": [{"Path": it.device, "Rate": it.value} for it in resources.write_bps],
    }
    return {key: value for key, value in named.items() if value}


def _files(engine: Engine, config: ContainerConfig) -> dict[str, Any]:
    from pod.engine import inspect_container, inspect_host

    shown: dict[str, Any] = {
        "mounts": inspect_container.mounts_of(engine, config),
        "devices": inspect_host.devices_of(config),
        "security_opt": inspect_host.security_options(config),
        "volumes_from": [it.container for it in config.volumes_from],
    }
    return {key: value for key, value in shown.items() if value}
