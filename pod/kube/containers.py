"""One container of a pod as the configuration that `create` takes."""

from __future__ import annotations

from pod.base.records import Record
from pod.kube import probes, quantities, values, volumes
from pod.kube.fields import check_name
from pod.linux import signals
from pod.spec import transport
from pod.spec.container import ContainerConfig
from pod.spec.hosts import check_address
from pod.spec.ports import PortMapping
from pod.spec.resources import Resources
from pod.spec.security import SecurityOptions
from pod.spec.security_option import parse_capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pod.kube.fields import Fields
    from pod.kube.values import Sources
    from pod.kube.volumes import PodVolume

PULL_POLICIES = {"Always": "always", "IfNotPresent": "missing", "Never": "never"}
_USUAL_CPU_PERIOD = 100_000  # microseconds
_NEVER_HERE = "there is no kubelet that would show it"


class PodDefaults(Record):
    """What the securityContext of a pod says about each of its containers."""

    user: str = ""
    group: str = ""
    non_root: bool = False
    groups: tuple[str, ...] = ()
    seccomp: str = ""


class PlannedContainer(Record):
    """One container: `name` as in the document, `ports` those that the pod publishes for it.

    `declared` are all ports that it says it has, with their protocols.
    """

    name: str
    config: ContainerConfig
    pull: str
    ports: tuple[PortMapping, ...] = ()
    declared: tuple[tuple[int, str], ...] = ()
    non_root: bool = False


def read(
    fields: Fields,
    base: ContainerConfig,
    of_pod: PodDefaults,
    known: Mapping[str, PodVolume],
    sources: Sources,
    downward: Mapping[str, str],
    *,
    restarts: bool,
    publishes_all: bool,
    profiles: str,
) -> PlannedContainer:
    """A container of a pod. `base` is what all containers have; `profiles` the directory of seccomp profiles."""
    fields.needed("name"), fields.needed("image")
    name, image = fields.valid("name", check_name), fields.valid("image", transport.check_image)
    environment = values.environment(fields, sources, downward)
    command = tuple(values.expand(word, environment) for word in fields.texts("command"))
    ports, published, declared = _ports(fields, publishes_all)
    policy = PULL_POLICIES[fields.choice("imagePullPolicy", tuple(PULL_POLICIES), "IfNotPresent")]
    if not fields.has("imagePullPolicy") and _is_newest(image):
        policy = "newer"
    changes: dict[str, Any] = {
        "image": image,
        "entrypoint": command or None,
        "command": tuple(values.expand(word, environment) for word in fields.texts("args")),
        "environment": (
            *base.environment,
            *(f"{key}={value}" for key, value in environment.items()),
        ),
        "working_directory": fields.valid("workingDir", _absolute) or base.working_directory,
        "terminal": fields.truth("tty"),
        "interactive": fields.truth("stdin"),
        "mounts": (*base.mounts, *volumes.mounts(fields, known)),
        "health": probes.health(fields, ports, restarts=restarts),
        "resources": _resources(fields.table("resources"), base.resources),
        "timezone": base.timezone,
    }
    _security(fields.table("securityContext"), base, of_pod, profiles, changes)
    non_root = bool(changes.pop("non_root", of_pod.non_root))
    lifecycle = fields.table("lifecycle")
    changes["stop_signal"] = lifecycle.valid("stopSignal", signals.parse) or base.stop_signal
    lifecycle.ignore("containers get their stop signal only", "preStop", "postStart")
    lifecycle.end()
    fields.ignore("", "terminationMessagePath", "terminationMessagePolicy", "stdinOnce")
    fields.ignore(_NEVER_HERE, "resizePolicy")
    fields.refuse("an ordinary user has no block devices to give", "volumeDevices")
    fields.end()
    return PlannedContainer(name, base.replace(**changes), policy, published, declared, non_root)


def _absolute(text: str) -> None:
    if not text.startswith("/"):
        raise ValueError("an absolute path, inside the container")


def _is_newest(image: str) -> bool:
    """Kubernetes asks again for images with the tag latest or none (Images, "Default image pull policy").

    As podman, pod does so for a written `:latest` alone: what was built or loaded here has often no tag. Where the
    registry cannot be asked, the image that is here will do.
    """
    return image.endswith(":latest") and not image.startswith("localhost/")


def _ports(
    fields: Fields, publishes_all: bool
) -> tuple[dict[str, int], tuple[PortMapping, ...], tuple[tuple[int, str], ...]]:
    """The ports by name, those that are published, and all of them."""
    named: dict[str, int] = {}
    published = []
    declared = []
    for one in fields.tables("ports"):
        number, host = one.number("containerPort"), one.number("hostPort", 0) or 0
        protocol = one.choice("protocol", ("TCP", "UDP", "SCTP"), "TCP").lower()
        if number is None or not 0 < number < 65536 or not 0 <= host < 65536:
            one.wrong(f"'{one.path}' needs a containerPort between 1 and 65535", "containerPort")
        if name := one.text("name"):
            named[name] = number
        declared.append((number, protocol))
        if protocol == "sctp":
            one.refuse("SCTP cannot be forwarded by an ordinary user", "hostPort")
        elif host or publishes_all:
            published.append(
                PortMapping(number, host, one.valid("hostIP", check_address), protocol=protocol)
            )
        one.ignore("", "hostIP")
        one.end()
    return named, tuple(published), tuple(declared)


def _resources(fields: Fields, base: Resources) -> Resources:
    changes: dict[str, Any] = {}
    limits, requests = fields.table("limits"), fields.table("requests")
    if limits.has("memory"):
        changes["memory"] = limits.checked("memory", quantities.bytes_of)
    if limits.has("cpu"):
        changes["cpu_quota"] = limits.checked("cpu", quantities.microseconds_of)
        changes["cpu_period"] = _USUAL_CPU_PERIOD
    if requests.has("memory"):
        changes["memory_reservation"] = requests.checked("memory", quantities.bytes_of)
    requests.ignore("", "cpu")
    for one in (limits, requests):
        one.ignore("an ordinary user has no quotas of disks", "ephemeral-storage")
        one.end()
    fields.refuse("there is no scheduler", "claims")
    fields.end()
    return base.replace(**changes)


def _security(
    fields: Fields,
    base: ContainerConfig,
    of_pod: PodDefaults,
    profiles: str,
    changes: dict[str, Any],
) -> None:
    """Add what a securityContext says to `changes`."""
    user = fields.identity("runAsUser") or of_pod.user
    group = fields.identity("runAsGroup") or of_pod.group
    changes["user"] = f"{user}:{group}" if group else user
    changes["groups"] = of_pod.groups
    changes["privileged"] = fields.truth("privileged", base.privileged)
    changes["read_only"] = fields.truth("readOnlyRootFilesystem", base.read_only)
    changes["non_root"] = fields.truth("runAsNonRoot", of_pod.non_root)
    capabilities = fields.table("capabilities")
    for key, field in (("add", "add_capabilities"), ("drop", "drop_capabilities")):
        changes[field] = parse_capabilities(
            capabilities.texts(key, lambda one: parse_capabilities([one]))
        )
    capabilities.end()
    changes["security"] = SecurityOptions(
        seccomp=seccomp(fields, profiles) or of_pod.seccomp or base.security.seccomp,
        apparmor=_apparmor(fields) or base.security.apparmor,
        no_new_privileges=not fields.truth("allowPrivilegeEscalation", True),
        unmask=("ALL",)
        if fields.choice("procMount", ("", "Default", "Unmasked"), "") == "Unmasked"
        else (),
    )
    fields.ignore("SELinux is not used here", "seLinuxOptions")
    fields.ignore("it belongs to Windows", "windowsOptions")
    fields.end()


def seccomp(fields: Fields, profiles: str) -> str:
    """`seccompProfile` as a value of --security-opt seccomp=; "" where nothing else than the default is asked for."""
    table = fields.table("seccompProfile")
    kind = table.choice("type", ("", "RuntimeDefault", "Unconfined", "Localhost"), "")
    local = table.text("localhostProfile")
    table.end()
    if kind == "Localhost":
        if not local or local.startswith("/") or ".." in local.split("/"):
            table.wrong(
                "a Localhost profile needs localhostProfile, a path below the directory of profiles"
            )
        return f"{profiles}/{local}"
    return "unconfined" if kind == "Unconfined" else ""


def _apparmor(fields: Fields) -> str:
    table = fields.table("appArmorProfile")
    kind = table.choice("type", ("", "RuntimeDefault", "Unconfined", "Localhost"), "")
    local = table.text("localhostProfile")
    table.end()
    return "unconfined" if kind == "Unconfined" else local if kind == "Localhost" else ""
