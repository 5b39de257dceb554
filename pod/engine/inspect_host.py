"""`HostConfig` of `pod inspect`: what of the host a container was given, and how much."""

from __future__ import annotations

from pod.engine import facts, network
from pod.engine.logs import log_path
from pod.spec.kernel_options import parse_ulimits
from pod.spec.mounts import bind_text
from pod.spec.networks import DEFAULT_NAME
from pod.spec.ports import port_bindings
from pod.spec.resources import effective_ulimits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pod.engine.context import Engine
    from pod.linux.idmap import IdMap
    from pod.spec.container import ContainerConfig
    from pod.spec.resources import DeviceLimit
    from pod.spec.userns import UserNamespace
    from pod.state.containers import Container

_UNLIMITED = -1


def host_config(engine: Engine, container: Container) -> dict[str, Any]:
    """The object, in podman's order."""
    config = container.config
    networking = config.networking
    volumes_from = [
        it.container + ("" if it.read_only is None else ":ro" if it.read_only else ":rw")
        for it in config.volumes_from
    ]
    return {
        "Binds": [bind_text(mount) for mount in config.mounts if mount.kind in {"bind", "volume"}],
        "CgroupManager": "cgroupfs",
        "CgroupMode": str(config.cgroupns) or "private",
        "ContainerIDFile": config.cid_file,
        "LogConfig": _log(engine, container),
        "NetworkMode": _network_mode(engine, str(networking.network)),
        "PortBindings": port_bindings(networking.ports),
        "RestartPolicy": {
            "Name": config.restart.name,
            "MaximumRetryCount": config.restart.max_retries,
        },
        "AutoRemove": config.auto_remove,
        "AutoRemoveImage": config.remove_image,
        "Annotations": dict(config.annotations),
        "VolumeDriver": "",
        "VolumesFrom": volumes_from or None,
        "CapAdd": list(config.add_capabilities),
        "CapDrop": list(config.drop_capabilities),
        "Dns": list(networking.dns),
        "DnsOptions": list(networking.dns_options),
        "DnsSearch": list(networking.dns_search),
        "ExtraHosts": list(networking.hosts),
        "HostsFile": networking.hosts_file,
        "GroupAdd": list(config.groups),
        "IpcMode": str(config.ipc) or "shareable",
        "Cgroup": "",
        "Cgroups": "disabled" if config.cgroups == "disabled" else "default",
        "Links": list(networking.links) or None,
        "OomScoreAdj": config.oom_score_adj or 0,
        "PidMode": str(config.pid) or "private",
        "Privileged": config.privileged,
        "PublishAllPorts": networking.publish_all,
        "ReadonlyRootfs": config.read_only,
        "SecurityOpt": security_options(config),
        "Tmpfs": {
            mount.target: ",".join(["ro" if mount.read_only else "rw", *mount.options])
            for mount in config.mounts
            if mount.kind == "tmpfs"
        },
        "UTSMode": str(config.uts) or "private",
        "UsernsMode": _userns_text(config.userns),
        "IDMappings": _id_mappings(config),
        "ShmSize": config.shm_size,
        "Runtime": config.runtime or "pod",
        "ConsoleSize": [0, 0],
        "Isolation": "",
        **_resources(engine, config),
    }


def _network_mode(engine: Engine, typed: str) -> str:
    """The network as --network has it; of the usual one the program that makes it."""
    if typed in {"", "private"}:
        return network.usual_backend(engine)
    return "bridge" if typed == DEFAULT_NAME else typed


def _log(engine: Engine, container: Container) -> dict[str, Any]:
    log = container.config.log
    has_file = log.driver in {"k8s-file", "json-file"}
    return {
        "Type": log.driver,
        "Config": None,
        "Path": log_path(engine, container) if has_file else "",
        "Tag": log.tag,
        "Size": f"{log.max_size}B",
    }


def security_options(config: ContainerConfig) -> list[str]:
    given = config.security
    options = [f"label={label}" for label in given.labels]
    options += [
        f"{key}={value}" for key in ("seccomp", "apparmor") if (value := getattr(given, key))
    ]
    options += [f"mask={path}" for path in given.mask]
    options += [f"unmask={path}" for path in given.unmask]
    options += [f"proc-opts={option}" for option in given.proc_options]
    if given.no_new_privileges:
        options.append("no-new-privileges")
    return options


def _userns_text(userns: UserNamespace) -> str:
    """As --userns would be typed; explicit maps are "private"."""
    if userns.mode in {"", "host"}:
        return ""
    if userns.mode == "map":
        return "private"
    if userns.joined:
        return f"{userns.mode}:{userns.joined}"
    given = {"uid": userns.uid, "gid": userns.gid, "size": userns.size or None}
    options = ",".join(f"{name}={value}" for name, value in given.items() if value is not None)
    return f"{userns.mode}:{options}" if options else userns.mode


def _id_mappings(config: ContainerConfig) -> dict[str, list[str]]:
    """The maps that the kernel is given: "inside:outside:count"."""
    if config.userns.mode in {"container", "ns"}:
        return {"UidMap": [], "GidMap": []}
    uids, gids = facts.maps_of(config)
    return {"UidMap": _map_texts(uids), "GidMap": _map_texts(gids)}


def _map_texts(extents: IdMap) -> list[str]:
    return [f"{inside}:{outside}:{count}" for inside, outside, count in extents]


def _resources(engine: Engine, config: ContainerConfig) -> dict[str, Any]:
    given = config.resources
    pids_limit = given.pids_limit or engine.settings.containers.pids_limit
    limits, _ = effective_ulimits(
        config.ulimits,
        parse_ulimits(engine.settings.containers.default_ulimits),
        facts.own_limits(),
    )
    return {
        "CpuShares": given.cpu_shares,
        "Memory": given.memory,
        "NanoCpus": given.cpu_quota * 1_000_000_000 // given.cpu_period
        if given.cpu_quota > 0 and given.cpu_period
        else 0,
        "CgroupParent": config.cgroup_parent,
        "BlkioWeight": given.blkio_weight,
        "BlkioWeightDevice": _device_limits(given.blkio_weight_devices, "Weight"),
        "BlkioDeviceReadBps": _device_limits(given.read_bps, "Rate"),
        "BlkioDeviceWriteBps": _device_limits(given.write_bps, "Rate"),
        "BlkioDeviceReadIOps": _device_limits(given.read_iops, "Rate"),
        "BlkioDeviceWriteIOps": _device_limits(given.write_iops, "Rate"),
        "CpuPeriod": given.cpu_period,
        "CpuQuota": given.cpu_quota,
        "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0,
        "CpusetCpus": given.cpuset_cpus,
        "CpusetMems": given.cpuset_mems,
        "Devices": devices_of(config),
        "DiskQuota": 0,
        "KernelMemory": 0,
        "MemoryReservation": given.memory_reservation,
        "MemorySwap": given.memory_swap,
        "MemorySwappiness": 0,
        "OomKillDisable": False,
        "Init": config.init,
        "PidsLimit": 0 if pids_limit == _UNLIMITED else pids_limit,
        "Ulimits": [
            {"Name": f"RLIMIT_{limit.name.upper()}", "Soft": limit.soft, "Hard": limit.hard}
            for limit in limits
        ],
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
        "CgroupConf": dict(given.unified) or None,
    }


def _device_limits(limits: Iterable[DeviceLimit], unit: str) -> list[dict[str, Any]] | None:
    return [{"Path": limit.device, unit: limit.value} for limit in limits] or None


def devices_of(config: ContainerConfig) -> list[dict[str, str]]:
    """The devices that were asked for."""
    return [
        {
            "PathOnHost": device.source,
            "PathInContainer": device.target,
            "CgroupPermissions": device.permissions,
        }
        for device in config.devices
    ]
