"""The pod that a document describes: a Pod itself, or the template of a Deployment, DaemonSet or Job."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record
from pod.kube import containers, volumes
from pod.kube.describe import PREFIX
from pod.spec import hosts
from pod.spec.kernel_options import parse_sysctl, parse_ulimits
from pod.spec.namespaces import Namespace, Network
from pod.spec.pods import USUALLY_SHARED, PodConfig
from pod.spec.resource_options import parse_resources
from pod.spec.restart import RestartPolicy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.kube.containers import PlannedContainer
    from pod.kube.documents import Document
    from pod.kube.fields import Fields
    from pod.kube.values import Sources
    from pod.kube.volumes import PodVolume
    from pod.spec.container import ContainerConfig

_CLUSTER = "there is one machine, and no scheduler"
_RESTART = {
    "Always": RestartPolicy("always"),
    "OnFailure": RestartPolicy("on-failure"),
    "Never": RestartPolicy(),
}
_AUTO_UPDATE = "io.containers.autoupdate"


class PlayOptions(Record):
    """What the command line says about all pods.

    `networks` are those of --network, () for the default; `base` and `infra` are configurations without an image.
    """

    base: ContainerConfig
    infra: ContainerConfig
    publish_all: bool = False
    name_prefix: bool = True
    annotations: tuple[tuple[str, str], ...] = ()
    profiles: str = ""


class PlannedPod(Record):
    """One pod, ready to be made: nothing of it needs the document any more."""

    name: str
    config: PodConfig
    infra: ContainerConfig
    containers: tuple[PlannedContainer, ...]
    volumes: tuple[PodVolume, ...]
    where: str


def read(document: Document, sources: Sources, options: PlayOptions) -> PlannedPod:
    """The pod of a document. Raises KubeError."""
    fields = document.fields
    spec = fields.table("spec")
    if document.kind == "Pod":
        planned = _pod(
            document.name,
            spec,
            document.labels,
            document.annotations,
            sources,
            options,
            "Always",
            0,
        )
    else:
        name = f"{document.name}-pod"
        retries = _check_workload(document, spec)
        template = spec.table("template")
        metadata = template.table("metadata")
        labels, annotations = metadata.pairs("labels"), metadata.pairs("annotations")
        metadata.ignore("", "name", "creationTimestamp", "namespace")
        metadata.end()
        inner = template.table("spec")
        template.end()
        usual = "Never" if document.kind == "Job" else "Always"
        planned = _pod(
            name,
            inner,
            labels,
            annotations | document.annotations,
            sources,
            options,
            usual,
            retries,
        )
        spec.end()
    fields.end()
    return planned


def _check_workload(document: Document, spec: Fields) -> int:
    """What a Deployment, DaemonSet or Job says around its template; how often a Job is tried again."""
    kind = document.kind
    spec.ignore(
        "", "selector", "revisionHistoryLimit", "minReadySeconds", "progressDeadlineSeconds"
    )
    if kind == "Deployment":
        if (spec.number("replicas", 1) or 0) > 1:
            spec.notes.add(
                f"{spec.where('replicas')}: 'spec.replicas' is taken for 1: there is one machine"
            )
        spec.ignore("", "strategy", "paused")
    elif kind == "DaemonSet":
        spec.ignore("", "updateStrategy")
    else:
        if spec.truth("suspend"):
            spec.wrong("'spec.suspend' is true, and such a Job does not run", "suspend")
        spec.ignore("a Job runs once here", "completions", "parallelism", "completionMode")
        spec.ignore(
            "", "manualSelector", "podReplacementPolicy", "backoffLimitPerIndex", "maxFailedIndexes"
        )
        spec.ignore("remove it with `pod kube down`", "ttlSecondsAfterFinished")
        spec.ignore(
            "it ends when it is done",
            "activeDeadlineSeconds",
            "podFailurePolicy",
            "successPolicy",
        )
        return spec.number("backoffLimit", 6) or 0
    return 0


def _pod(
    name: str,
    spec: Fields,
    labels: dict[str, str],
    annotations: dict[str, str],
    sources: Sources,
    options: PlayOptions,
    usual_restart: str,
    retries: int,
) -> PlannedPod:
    policy = _RESTART[spec.choice("restartPolicy", tuple(_RESTART), usual_restart)]
    if policy.name == "on-failure" and retries:
        policy = policy.replace(max_retries=retries)
    known = volumes.read(spec, name, sources)
    infra, shared = _infra(name, spec, options.infra)
    downward = {
        "metadata.name": name,
        "metadata.namespace": "default",
        **{f"metadata.labels['{key}']": value for key, value in labels.items()},
        **{f"metadata.annotations['{key}']": value for key, value in annotations.items()},
    }
    of_pod = _defaults(spec.table("securityContext"), options.profiles, infra)
    infra = of_pod[1]
    annotated = {**annotations, **dict(options.annotations)}
    base = options.base.replace(
        annotations=annotated,
        stop_timeout=_stop_timeout(spec, options.base.stop_timeout),
        labels={**options.base.labels, **labels},
    )
    planned = []
    taken: set[str] = set()
    for key, kind in (("initContainers", "once"), ("containers", "")):
        for one in spec.tables(key):
            is_sidecar = kind and one.text("restartPolicy") == "Always"
            found = containers.read(
                one, base, of_pod[0], known, sources, downward,
                restarts=policy.name != "no", publishes_all=options.publish_all and not kind, profiles=options.profiles,
            )  # fmt: skip
            if found.name in taken:
                one.wrong(f"there is a container '{found.name}' already", "name")
            taken.add(found.name)
            changes: dict[str, Any] = {"init_kind": "" if is_sidecar else kind}
            update = annotated.get(f"{_AUTO_UPDATE}/{found.name}") or annotated.get(_AUTO_UPDATE)
            if update:
                changes["labels"] = {**base.labels, _AUTO_UPDATE: update}
            try:
                changes |= _annotated(annotations, found)
            except PodError as error:
                one.wrong(f"an annotation of container '{found.name}': {error.message}")
            planned.append(found.replace(config=found.config.replace(**changes)))
    if not any(not one.config.init_kind for one in planned):
        spec.wrong(f"'{spec.path}.containers' is empty")
    _unused(spec)
    ports = tuple(port for one in planned for port in one.ports)
    infra = infra.replace(
        networking=infra.networking.replace(ports=(*infra.networking.ports, *ports)),
        labels=labels,
    )
    owned = [it.source for it in known.values() if it.owned]
    infra = infra.replace(volumes=tuple(owned), anonymous_volumes=tuple(owned))
    config = PodConfig(
        hostname=infra.hostname, labels=labels, share=shared, exit_policy="stop", restart=policy
    )
    prefix = f"{name}-" if options.name_prefix else ""
    named = tuple(one.replace(name=prefix + one.name) for one in planned)
    return PlannedPod(name, config, infra, named, tuple(known.values()), spec.where())


def _annotated(annotations: dict[str, str], found: PlannedContainer) -> dict[str, Any]:
    """What `kube generate --podman-only` adds, for all containers or for one by its name."""

    def value(key: str) -> str:
        return (
            annotations.get(f"{PREFIX}.{key}/{found.name}")
            or annotations.get(f"{PREFIX}.{key}")
            or ""
        )

    changes: dict[str, Any] = {}
    if value("init").lower() == "true":
        changes["init"] = True
    if limit := value("pids-limit"):
        pids = parse_resources(pids_limit=limit).pids_limit
        changes["resources"] = found.config.resources.replace(pids_limit=pids)
    if limits := value("ulimit"):
        changes["ulimits"] = parse_ulimits(limits.split(","))
    return changes


def _stop_timeout(spec: Fields, default: int) -> int:
    seconds = spec.number("terminationGracePeriodSeconds", default)
    if seconds is None or not 0 <= seconds < 2**31:
        spec.wrong(f"'{spec.path}.terminationGracePeriodSeconds' is no number of seconds")
    return seconds


def _infra(
    name: str, spec: Fields, infra: ContainerConfig
) -> tuple[ContainerConfig, tuple[str, ...]]:
    """The namespaces of the pod, and which of them its containers share."""
    shared = list(USUALLY_SHARED)
    changes: dict[str, Any] = {
        "hostname": spec.valid("hostname", hosts.parse_hostname) or name[:63]
    }
    networking = infra.networking
    if spec.truth("hostNetwork"):
        networking = networking.replace(network=Network("host"), more_networks=())
    if spec.truth("shareProcessNamespace"):
        shared.append("pid")
    if spec.truth("hostPID"):
        changes["pid"] = Namespace("host")
        shared.append("pid")
    if spec.truth("hostIPC"):
        changes["ipc"] = Namespace("host")
    spec.ignore("containers of pod are in a user namespace always", "hostUsers")
    added = list(networking.hosts)
    for one in spec.tables("hostAliases"):
        one.needed("ip")
        address = one.valid("ip", hosts.check_address)
        names = one.texts("hostnames", hosts.parse_hostname)
        added += [f"{hostname}:{address}" for hostname in names]
        one.end()
    policy = spec.choice(
        "dnsPolicy", ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"), "ClusterFirst"
    )
    dns = spec.table("dnsConfig")
    servers = dns.texts("nameservers", hosts.check_address)
    searches = dns.texts("searches", hosts.parse_dns_search)
    options = []
    for one in dns.tables("options"):
        value = one.text("value")
        option = one.needed("name") + (f":{value}" if value else "")
        if len(option.split()) != 1:
            one.wrong(f"'{option}' is no option of resolv.conf", "name")
        options.append(option)
        one.end()
    dns.end()
    if policy == "None" and not servers:
        spec.wrong("dnsPolicy None needs dnsConfig.nameservers", "dnsPolicy")
    changes["networking"] = networking.replace(
        hosts=tuple(added),
        dns=(*networking.dns, *servers),
        dns_search=(*networking.dns_search, *searches),
        dns_options=(*networking.dns_options, *options),
    )
    return infra.replace(**changes), tuple(shared)


def _defaults(
    fields: Fields, profiles: str, infra: ContainerConfig
) -> tuple[containers.PodDefaults, ContainerConfig]:
    """The securityContext of a pod, and its infra container with the sysctls."""
    sysctls = {}
    for one in fields.tables("sysctls"):
        text = f"{one.needed('name')}={one.text('value')}"
        key, value = one.checked("name", lambda _, text=text: parse_sysctl(text))  # type: ignore[misc]
        sysctls[key] = value
        one.end()
    groups = [*fields.texts("supplementalGroups", _group), fields.identity("fsGroup")]
    defaults = containers.PodDefaults(
        user=fields.identity("runAsUser"),
        group=fields.identity("runAsGroup"),
        non_root=fields.truth("runAsNonRoot"),
        groups=tuple(group for group in groups if group),
        seccomp=containers.seccomp(fields, profiles),
    )
    fields.ignore("", "fsGroupChangePolicy", "supplementalGroupsPolicy", "appArmorProfile")
    fields.ignore("SELinux is not used here", "seLinuxOptions", "seLinuxChangePolicy")
    fields.ignore("it belongs to Windows", "windowsOptions")
    fields.end()
    return defaults, infra.replace(sysctls={**infra.sysctls, **sysctls})


def _group(text: str) -> None:
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise ValueError("the number of a group")


def _unused(spec: Fields) -> None:
    spec.ignore(
        "", "serviceAccountName", "serviceAccount", "automountServiceAccountToken", "enableServiceLinks",
        "schedulerName", "priority", "priorityClassName", "preemptionPolicy", "setHostnameAsFQDN", "subdomain",
    )  # fmt: skip
    spec.ignore(
        _CLUSTER, "nodeSelector", "nodeName", "affinity", "tolerations", "topologySpreadConstraints", "schedulingGates",
        "overhead", "runtimeClassName", "readinessGates", "resourceClaims", "os",
    )  # fmt: skip
    spec.ignore("log in with `pod login`, or give --authfile", "imagePullSecrets")
    spec.ignore("a pod runs until it ends", "activeDeadlineSeconds")
    spec.refuse("containers of that kind come with a debugger", "ephemeralContainers")
    spec.end()
