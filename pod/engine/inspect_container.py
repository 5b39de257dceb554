"""The document that `pod inspect` shows of a container: podman's, field by field, so that scripts find what they know.

What podman has for parts that pod has not (checkpoints, labels of SELinux) has the value that means "none".
"""

from __future__ import annotations

import os

from pod.base import times
from pod.base.errors import PodError
from pod.engine import finish
from pod.engine import list as listing
from pod.spec import bundle
from pod.spec.ports import port_bindings
from pod.spec.security import effective_capabilities
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.spec.health import HealthConfig
    from pod.spec.mounts import Mount
    from pod.spec.security import Capabilities
    from pod.state.containers import Container
    from pod.state.reconcile import Run

NOT_FOUND = containers.NoSuchContainer


def document(engine: Engine, text: str, *, size: bool = False) -> dict[str, Any]:
    """Everything about the container `text`. Raises NoSuchContainer."""
    container, run = finish.refresh(engine, containers.find(engine.database, text))
    try:
        return _document(engine, container, run, size=size)
    except Exception as error:
        if containers.by_ids(engine.database, [container.id]):
            raise
        raise containers.NoSuchContainer(text) from error  # it was removed while we looked


def _document(
    engine: Engine, container: Container, run: Run | None, *, size: bool
) -> dict[str, Any]:
    config = container.config
    directory = engine.paths.container(container.id)
    own_files = {
        name: _if_there(f"{directory}/{file}")
        for name, file in (
            ("ResolvConfPath", "resolv.conf"),
            ("HostnamePath", "hostname"),
            ("HostsPath", "hosts"),
        )
    }
    capabilities = _capabilities(engine, config)
    found: dict[str, Any] = {
        "Id": container.id,
        "Created": _moment(container.created_ns),
        "Path": config.arguments[0] if config.arguments else "",
        "Args": list(config.arguments[1:]),
        "State": _state(engine, container, run),
        "Image": container.image_id.rpartition(":")[2],
        "ImageDigest": _image_digest(engine, container),
        "ImageName": config.image,
        "Rootfs": config.rootfs,
        "Pod": config.pod,
        **own_files,
        "StaticDir": directory,
        "OCIConfigPath": _if_there(f"{directory}/config.json"),
        "OCIRuntime": config.runtime or "pod",
        "ConmonPidFile": config.monitor_pid_file,
        "PidFile": config.pid_file,
        "Name": container.name,
        "RestartCount": _restarts(container, run),
        "Driver": _driver(engine, container),
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": config.security.apparmor,
        "EffectiveCaps": list(capabilities.effective),
        "BoundingCaps": list(capabilities.bounding),
        "ExecIDs": [],
        "GraphDriver": _graph_driver(engine, container),
        "Mounts": mounts_of(engine, config),
        "Dependencies": list(config.needs),
        "NetworkSettings": _network_settings(engine, _connected(engine, container), run),
        "Namespace": "",
        "IsInfra": config.is_infra,
        "IsService": False,
        "KubeExitCodePropagation": "invalid",
        "lockNumber": 0,
        "Config": _config(container),
        "HostConfig": _host_config(engine, container),
    }
    from pod.engine.inspect_limits import requested_and_effective

    userns = found["HostConfig"]["UsernsMode"]
    found.update(requested_and_effective(engine, container, run, userns))
    found["UseImageHosts"] = not config.networking.manage_hosts
    found["UseImageHostname"] = not config.networking.manage_hostname
    if size:
        sizes = listing.sizes(engine, [(container.id, container.image_id, bool(config.rootfs))])
        found["SizeRw"], found["SizeRootFs"] = sizes[container.id]
    return found


def _moment(moment_ns: int) -> str:
    return times.rfc3339(moment_ns, local=True) if moment_ns else times.NEVER


def _if_there(path: str) -> str:
    return path if os.path.exists(path) else ""


def _state(engine: Engine, container: Container, run: Run | None) -> dict[str, Any]:
    status = listing.state_of(run) if run is not None else container.status
    state = run.state if run is not None else {}
    outcome = container.outcome
    started_ns = state.get("started_ns") or container.started_ns
    return {
        "OciVersion": bundle.OCI_VERSION,
        "Status": status,
        "Running": status == "running",
        "Paused": status == "paused",
        "Restarting": status == "restarting",
        "OOMKilled": bool(outcome.get("out_of_memory")),
        "Dead": False,
        "Pid": run.pid if run is not None and (run.has_processes or run.condition == "held") else 0,
        "ConmonPid": _monitor_pid(engine, container) if run is not None else 0,
        "ExitCode": 0 if run is not None else container.exit_status,
        "Error": outcome.get("error", ""),
        "StartedAt": _moment(started_ns if status not in {"created", "initialized"} else 0),
        "FinishedAt": _moment(container.finished_ns),
        "CgroupPath": (state.get("cgroup") or "").removeprefix("/sys/fs/cgroup"),
        "CheckpointedAt": times.NEVER,
        "RestoredAt": times.NEVER,
        "StoppedByUser": bool(outcome.get("stopped_by_user")),
        **_health(engine, container),
    }


def _health(engine: Engine, container: Container) -> dict[str, Any]:
    """The health, under podman's older name, too; None without health checks, so that templates can ask for it."""
    if container.config.health is None:
        return {"Health": None}
    from pod.engine import healthcheck

    if healthcheck.active(container) is None:
        return {"Health": None}
    health = healthcheck.health_of(engine, container)
    shown = {
        "Status": health.get("status", ""),
        "FailingStreak": health.get("failing_streak", 0),
        "Log": health.get("log"),
    }
    return {"Health": shown, "Healthcheck": shown}


def _monitor_pid(engine: Engine, container: Container) -> int:
    from pod.base.files import read_text
    from pod.spec.monitor import LOCK_FILE

    try:
        return int(read_text(f"{engine.paths.run(container.id)}/{LOCK_FILE}"))
    except (OSError, ValueError):
        return 0  # it has just ended


def _restarts(container: Container, run: Run | None) -> int:
    source = run.state if run is not None else container.outcome
    return int(source.get("restarts", 0))


def _image_digest(engine: Engine, container: Container) -> str:
    if not container.image_id:
        return ""
    try:
        return str(engine.store.images.lookup(container.image_id).digest)
    except PodError:
        return ""  # it was removed by force


def _driver(engine: Engine, container: Container) -> str:
    if container.config.rootfs:
        return ""
    return str(engine.rootfs.describe(engine.paths.container(container.id)).kind)


def _graph_driver(engine: Engine, container: Container) -> dict[str, Any]:
    if container.config.rootfs:
        return {"Name": "", "Data": {}}
    mount = engine.rootfs.describe(engine.paths.container(container.id))
    if mount.kind == "copy":
        return {"Name": "copy", "Data": {"Dir": mount.path}}
    data = {
        "LowerDir": ":".join(mount.lowers),
        "UpperDir": mount.upper,
        "WorkDir": mount.work,
    }
    return {"Name": mount.kind, "Data": data}


def _capabilities(engine: Engine, config: ContainerConfig) -> Capabilities:
    from pod.linux.capabilities import NAMES, last_known

    return effective_capabilities(
        engine.settings.containers.default_capabilities,
        config.add_capabilities,
        config.drop_capabilities,
        privileged=config.privileged,
        is_root=bundle.is_root(config.user),
        available=NAMES[: last_known() + 1],
    )


def mounts_of(engine: Engine, config: ContainerConfig) -> list[dict[str, Any]]:
    """Directories, volumes and images that are mounted."""
    return [_mount(engine, mount) for mount in config.mounts if mount.kind in _SHOWN_KINDS]


_SHOWN_KINDS = frozenset(("bind", "volume", "image"))


def _mount(engine: Engine, mount: Mount) -> dict[str, Any]:
    is_volume = mount.kind == "volume"
    named = {"Name": mount.source} if is_volume else {}
    source = f"{engine.paths.volumes}/{mount.source}/_data" if is_volume else mount.source
    options = [*mount.options, "rbind" if mount.recursive else "bind"]
    if mount.overlay:
        options.append("O")
    return {
        "Type": mount.kind,
        **named,
        "Source": source + (f"/{mount.subpath}" if mount.subpath else ""),
        "Destination": mount.target,
        "Driver": "local" if is_volume else "",
        "Mode": {"shared": "z", "private": "Z"}.get(mount.relabel, ""),
        "Options": options,
        "RW": not mount.read_only,
        "Propagation": mount.propagation if mount.kind == "bind" else "rprivate",
        **({"SubPath": mount.subpath} if mount.subpath else {}),
    }


def _connected(engine: Engine, container: Container) -> Container:
    """The container that has the network: itself, or that of the pod that it is in."""
    network = container.config.networking.network
    if container.config.pod and network.mode == "container":
        for infra in containers.by_ids(engine.database, [network.joined]):
            return infra
    return container


def _network_settings(engine: Engine, container: Container, run: Run | None) -> dict[str, Any]:
    networking = container.config.networking
    is_running = run is not None and (run.has_processes or run.condition == "held")
    return {
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": "",
        "Bridge": "",
        "SandboxID": "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": port_bindings(networking.ports, networking.expose, any_address="0.0.0.0"),
        "SandboxKey": f"/proc/{run.pid}/ns/net" if run is not None and is_running else "",
        "Networks": _networks(engine, container, is_running=is_running),
    }


def _networks(engine: Engine, container: Container, *, is_running: bool) -> dict[str, Any]:
    """The container's places on networks made by `pod network create`, by name."""
    if not container.config.networking.user_defined:
        return {}
    from pod.engine import inspect_network

    return inspect_network.places(engine, container, is_running=is_running)


def _config(container: Container) -> dict[str, Any]:
    config = container.config
    streams = config.attach or ("stdout", "stderr")
    return {
        "Hostname": config.hostname or container.id[:12],
        "Domainname": config.domainname,
        "User": config.user,
        "AttachStdin": "stdin" in streams,
        "AttachStdout": "stdout" in streams,
        "AttachStderr": "stderr" in streams,
        "Tty": config.terminal,
        "OpenStdin": config.interactive,
        "StdinOnce": False,
        "Env": list(config.environment),
        "Cmd": list(config.command) or None,
        "Image": config.image,
        "Volumes": None,
        "WorkingDir": config.working_directory,
        "Entrypoint": list(config.entrypoint or ()) or None,
        "OnBuild": None,
        "Labels": dict(config.labels),
        "Annotations": dict(config.annotations),
        "StopSignal": config.stop_signal,
        **_health_config(config.health),
        "CreateCommand": list(config.create_command),
        "Secrets": [
            {
                "Name": it.name,
                "ID": it.id,
                "Type": it.kind,
                "Target": it.target,
                "UID": it.uid,
                "GID": it.gid,
                "Mode": it.mode,
            }
            for it in config.secrets
        ],
        **({"Timezone": config.timezone} if config.timezone else {}),
        "Umask": f"{config.umask:04o}",
        "Timeout": config.timeout,
        "StopTimeout": config.stop_timeout,
        "Passwd": config.passwd_entry is not None,
        "SystemdMode": config.systemd == "always",
        **({"ChrootDirs": list(config.roots)} if config.roots else {}),
        "sdNotifyMode": config.notify,
        **({"ExposedPorts": _exposed_ports(config)} if _exposed_ports(config) else {}),
    }


def _health_config(health: HealthConfig | None) -> dict[str, Any]:
    """Durations in nanoseconds, as in docker's images."""
    if health is None:
        return {"HealthcheckOnFailureAction": "none"}
    found: dict[str, Any] = {
        "Healthcheck": {
            "Test": list(health.test),
            **{
                name: value
                for name, value in (
                    ("StartPeriod", health.start_period_ns),
                    ("StartInterval", health.start_interval_ns),
                    ("Interval", health.interval_ns),
                    ("Timeout", health.timeout_ns),
                    ("Retries", health.retries),
                )
                if value
            },
        },
        "HealthcheckOnFailureAction": health.on_failure,
        "HealthLogDestination": health.log_destination,
        "HealthcheckMaxLogCount": health.max_log_count,
        "HealthcheckMaxLogSize": health.max_log_size,
    }
    startup = health.startup
    if startup is not None:
        found["StartupHealthCheck"] = {
            "Test": list(startup.test),
            "Interval": startup.interval_ns,
            "Timeout": startup.timeout_ns,
            **({"Retries": startup.retries} if startup.retries else {}),
            **({"Successes": startup.successes} if startup.successes else {}),
        }
    return found


def _exposed_ports(config: ContainerConfig) -> dict[str, dict[str, str]]:
    """The ports that are exposed or published, as keys."""
    networking = config.networking
    return {port: {} for port in port_bindings(networking.ports, networking.expose)}


def _host_config(engine: Engine, container: Container) -> dict[str, Any]:
    from pod.engine.inspect_host import host_config

    return host_config(engine, container)
