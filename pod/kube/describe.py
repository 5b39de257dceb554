"""What containers have, in the words of Kubernetes' API."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.spec.container import ContainerConfig
    from pod.spec.health import HealthConfig
    from pod.spec.mounts import Mount
    from pod.state.pods import Pod
    from pod.state.volumes import Volume

PREFIX = "io.podman.annotations"
_SECOND = 1_000_000_000


def container(
    name: str, config: ContainerConfig, volumes: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """A container of a pod; its volumes are added to those of the pod."""
    found: dict[str, Any] = {"name": name, "image": config.image}
    if config.entrypoint is not None:
        found["command"] = list(config.entrypoint)
    if config.command:
        found["args"] = list(config.command)
    if config.environment:
        pairs = (entry.partition("=") for entry in config.environment)
        # $(NAME) would be replaced when it is played.
        found["env"] = [
            {"name": key, "value": value.replace("$(", "$$(")} for key, _, value in pairs
        ]
    for word in ("command", "args"):
        if word in found:
            found[word] = [text.replace("$(", "$$(") for text in found[word]]
    if config.working_directory:
        found["workingDir"] = config.working_directory
    for key, value in (("tty", config.terminal), ("stdin", config.interactive)):
        if value:
            found[key] = True
    if resources := _resources(config):
        found["resources"] = resources
    if security := _security(config):
        found["securityContext"] = security
    mounts = [_mount(mount, volumes) for mount in config.mounts if mount.kind in _VOLUMES]
    if mounts:
        found["volumeMounts"] = mounts
    if config.health is not None and config.health.is_active:
        found |= _probes(config.health)
    return found


def _resources(config: ContainerConfig) -> dict[str, Any]:
    limits: dict[str, str] = {}
    resources = config.resources
    if resources.memory > 0:
        limits["memory"] = str(resources.memory)
    if resources.cpu_quota > 0:
        period = resources.cpu_period or 100_000
        limits["cpu"] = f"{resources.cpu_quota * 1000 // period}m"
    found: dict[str, Any] = {"limits": limits} if limits else {}
    if resources.memory_reservation > 0:
        found["requests"] = {"memory": str(resources.memory_reservation)}
    return found


def _security(config: ContainerConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    user, _, group = config.user.partition(":")
    for key, text in (("runAsUser", user), ("runAsGroup", group)):
        if text.isdigit():
            found[key] = int(text)
    capabilities = {
        key: sorted(name.removeprefix("CAP_") for name in names)
        for key, names in (("add", config.add_capabilities), ("drop", config.drop_capabilities))
        if names
    }
    if capabilities:
        found["capabilities"] = capabilities
    if config.privileged:
        found["privileged"] = True
    if config.read_only:
        found["readOnlyRootFilesystem"] = True
    security = config.security
    if security.no_new_privileges:
        found["allowPrivilegeEscalation"] = False
    if security.seccomp == "unconfined":
        found["seccompProfile"] = {"type": "Unconfined"}
    if security.unmask == ("ALL",):
        found["procMount"] = "Unmasked"
    return found


_VOLUMES = ("bind", "volume", "tmpfs")


def _mount(mount: Mount, volumes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    name = _volume_name(mount)
    if name not in volumes:
        source: dict[str, Any]
        if mount.kind == "bind":
            source = {"hostPath": {"path": mount.source}}
        elif mount.kind == "tmpfs":
            size = next((word[5:] for word in mount.options if word.startswith("size=")), "")
            source = {
                "emptyDir": {"medium": "Memory"} | ({"sizeLimit": _quantity(size)} if size else {})
            }
        elif mount.source:
            source = {"persistentVolumeClaim": {"claimName": mount.source}}
        else:
            source = {"emptyDir": {}}
        volumes[name] = {"name": name, **source}
    found: dict[str, Any] = {"name": name, "mountPath": mount.target}
    if mount.read_only:
        found["readOnly"] = True
    if mount.subpath:
        found["subPath"] = mount.subpath
    return found


def _quantity(size: str) -> str:
    """tmpfs(5) writes k, m, g; Kubernetes Ki, Mi, Gi."""
    return f"{size[:-1]}{size[-1].upper()}i" if size[-1:].lower() in {"k", "m", "g"} else size


def _volume_name(mount: Mount) -> str:
    """A name of small letters, digits and '-', at most 63 of them (RFC 1123, label)."""
    text = f"{mount.source or mount.target}-{_SUFFIX[mount.kind]}".lower()
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)
    return plain.strip("-")[-63:].strip("-")


_SUFFIX = {"bind": "host", "volume": "pvc", "tmpfs": "tmpfs"}


def _probes(health: HealthConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if health.interval_ns != 0:
        probe: dict[str, Any] = {"exec": {"command": _command(health.test)}}
        for key, value in (
            ("periodSeconds", health.interval_ns),
            ("timeoutSeconds", health.timeout_ns),
            ("initialDelaySeconds", health.start_period_ns),
        ):
            if value:
                probe[key] = max(1, value // _SECOND)
        if health.retries:
            probe["failureThreshold"] = health.retries
        found["livenessProbe"] = probe
    startup = health.startup
    if startup is not None:
        found["startupProbe"] = {
            "exec": {"command": _command(startup.test)},
            "periodSeconds": max(1, startup.interval_ns // _SECOND),
            "timeoutSeconds": max(1, startup.timeout_ns // _SECOND),
        } | ({"failureThreshold": startup.retries} if startup.retries else {})
    return found


def _command(test: tuple[str, ...]) -> list[str]:
    from pod.spec.health import arguments

    return list(arguments(test))


def ports(config: ContainerConfig) -> list[dict[str, Any]]:
    """The published ports; a range as single ones."""
    found = []
    for port in config.networking.ports:
        for offset in range(port.count):
            one: dict[str, Any] = {"containerPort": port.container_port + offset}
            if port.host_port:
                one["hostPort"] = port.host_port + offset
            if port.host_ip:
                one["hostIP"] = port.host_ip
            if port.protocol != "tcp":
                one["protocol"] = port.protocol.upper()
            found.append(one)
    return found


def shared(config: ContainerConfig, pod: Pod | None, name: str) -> dict[str, Any]:
    """What belongs to the pod: namespaces, names and resolvers. `config` has them."""
    found: dict[str, Any] = {}
    hostname = pod.config.hostname if pod else config.hostname
    if hostname and hostname != name:
        found["hostname"] = hostname
    networking = config.networking
    if networking.network.mode == "host":
        found["hostNetwork"] = True
    for key, namespace in (("hostPID", config.pid), ("hostIPC", config.ipc)):
        if namespace.mode == "host":
            found[key] = True
    if pod is not None and "pid" in pod.config.share and config.pid.mode != "host":
        found["shareProcessNamespace"] = True
    aliases: dict[str, list[str]] = {}
    for entry in networking.hosts:
        names, _, address = entry.partition(":")
        if address != "host-gateway":
            aliases.setdefault(address, []).extend(names.split(";"))
    if aliases:
        found["hostAliases"] = [{"ip": ip, "hostnames": names} for ip, names in aliases.items()]
    dns: dict[str, Any] = {}
    if servers := [server for server in networking.dns if server != "none"]:
        dns["nameservers"] = servers
    if networking.dns_search:
        dns["searches"] = list(networking.dns_search)
    if networking.dns_options:
        pairs = (option.partition(":") for option in networking.dns_options)
        dns["options"] = [
            {"name": key} | ({"value": value} if value else {}) for key, _, value in pairs
        ]
    if dns:
        found["dnsConfig"] = dns
    if config.sysctls:
        found["securityContext"] = {
            "sysctls": [{"name": key, "value": value} for key, value in config.sysctls.items()]
        }
    return found


def annotations_of(name: str, config: ContainerConfig, *, podman_only: bool) -> dict[str, str]:
    """The container's own, and with `podman_only` what no field of Kubernetes can say."""
    found = {key: value for key, value in config.annotations.items() if not key.startswith(PREFIX)}
    if update := config.labels.get("io.containers.autoupdate"):
        found[f"io.containers.autoupdate/{name}"] = update
    if podman_only:
        if config.init:
            found[f"{PREFIX}.init/{name}"] = "TRUE"
        if config.resources.pids_limit:
            found[f"{PREFIX}.pids-limit/{name}"] = str(config.resources.pids_limit)
        if config.ulimits:
            found[f"{PREFIX}.ulimit/{name}"] = ",".join(str(one) for one in config.ulimits)
    return found


def claim(volume: Volume) -> dict[str, Any]:
    """A volume as a PersistentVolumeClaim; its size is a number that Kubernetes wants, and nothing else."""
    annotations: dict[str, str] = {}
    for option, key in (("device", "device"), ("type", "type"), ("o", "mount-options")):
        if option in volume.options:
            annotations[f"volume.podman.io/{key}"] = volume.options[option]
    if volume.has_owner:
        annotations |= {
            "volume.podman.io/uid": str(volume.uid),
            "volume.podman.io/gid": str(volume.gid),
        }
    metadata: dict[str, Any] = {"name": volume.name}
    if volume.labels:
        metadata["labels"] = dict(volume.labels)
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def service(pod: dict[str, Any]) -> dict[str, Any]:
    """A Service of the pod's ports, by which a cluster reaches it."""
    numbers = [
        (port["containerPort"], port.get("protocol", "TCP"))
        for one in pod["spec"]["containers"]
        for port in one.get("ports", ())
    ]
    metadata = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": metadata["name"], "labels": metadata["labels"]},
        "spec": {
            "type": "NodePort",
            "selector": metadata["labels"],
            "ports": [
                {"name": str(number), "port": number, "targetPort": number, "protocol": protocol}
                for number, protocol in numbers
            ],
        },
    }
