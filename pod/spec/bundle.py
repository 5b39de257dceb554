"""ContainerConfig + facts of the host -> OCI runtime configuration. Pure: same values, same document.

What an option of `run` does at a start is a line here. Everything that has to be looked up (paths, ids, what the host
can do) is in `Facts`, which engine/facts.py collects. See the OCI runtime specification, config.md and config-linux.md.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.spec import defaults
from pod.spec.cgroup_values import oci_resources
from pod.spec.kernel_options import parse_ulimits
from pod.spec.resources import effective_ulimits, oci_rlimits
from pod.spec.security import effective_capabilities, masked_paths, read_only_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, ClassVar

    from pod.linux.idmap import IdMap
    from pod.spec.container import ContainerConfig
    from pod.spec.mounts import Mount
    from pod.spec.namespaces import Namespace
    from pod.spec.oci import Linux, Process, RuntimeConfig, RuntimeMount

OCI_VERSION = "1.1.0"
ROOT = "rootfs"  # name of the mount point in the container's directory


class Facts(Record):
    """What a start needs to know beyond the configuration."""

    container_id: str
    directory: str  # the container's
    volumes: str  # where volumes are
    uid_maps: IdMap
    gid_maps: IdMap
    available_capabilities: tuple[str, ...]
    own_limits: Mapping[str, tuple[int, int]]  # the caller's rlimits by name
    default_limits: tuple[str, ...] = defaults.ULIMITS
    default_capabilities: tuple[str, ...] = defaults.CAPABILITIES
    default_sysctls: Mapping[str, str] = defaults.SYSCTLS
    joined: Mapping[str, str] = {}  # kind of namespace -> path of the one to join
    files: Mapping[str, str] = {}  # path in the container -> generated file on the host
    image_layers: Mapping[
        str, tuple[str, ...]
    ] = {}  # image mounts: id -> layer directories, topmost first
    devices: tuple[
        tuple[str, str], ...
    ] = ()  # (on the host, in the container) of --device and --privileged
    device_numbers: Mapping[str, str] = {}  # "MAJOR:MINOR" of the devices that limits name by path
    cgroup: str = ""  # directory of the container's cgroup; "" for none
    has_cgroup_tree: bool = True
    ipc_directories: tuple[str, ...] = (
        "/dev/shm",
        "/dev/mqueue",
    )  # those of the host, for --ipc=host
    init_program: str = ""  # for --init: path on the host
    window: tuple[int, int] = (0, 0)  # rows and columns of the caller's terminal

    nested: ClassVar = {}


def runtime_config(config: ContainerConfig, facts: Facts) -> RuntimeConfig:
    """The config.json of a container."""
    document: RuntimeConfig = {
        "ociVersion": OCI_VERSION,
        "process": process(
            config,
            facts,
            config.arguments if config.is_infra else _with_init(config.arguments, facts),
            config.environment,
            terminal=config.terminal,
        ),
        "root": {"path": f"{facts.directory}/{ROOT}", "readonly": config.read_only},
        "mounts": _mounts(config, facts),
        "linux": _linux(config, facts),
        "annotations": dict(config.annotations),
    }
    if is_own(config.uts):
        document["hostname"] = config.hostname or facts.container_id[:12]
        if config.domainname:
            document["domainname"] = config.domainname
    return document


def process(
    config: ContainerConfig,
    facts: Facts,
    arguments: Iterable[str],
    environment: Iterable[str],
    *,
    terminal: bool,
    user: str | None = None,
    privileged: bool = False,
) -> Process:
    """The `process` object, of the container or of `pod exec`. `user` None is the container's own."""
    entries = list(environment)
    if terminal and _wants_term(config, entries):
        entries.append(f"TERM={defaults.TERM}")
    capabilities = effective_capabilities(
        facts.default_capabilities,
        config.add_capabilities,
        config.drop_capabilities,
        privileged=config.privileged or privileged,
        is_root=is_root(config.user if user is None else user),
        available=facts.available_capabilities,
    )
    limits, _ = effective_ulimits(
        config.ulimits, parse_ulimits(facts.default_limits), facts.own_limits
    )
    document: Process = {
        "terminal": terminal,
        "user": {"uid": 0, "gid": 0, "umask": config.umask},
        "args": list(arguments),
        "env": entries,
        "cwd": config.working_directory or "/",
        "capabilities": {name: list(value) for name, value in capabilities.to_json().items()},  # type: ignore[typeddict-item]
        "rlimits": oci_rlimits(limits),
        "noNewPrivileges": config.security.no_new_privileges,
    }
    profile = config.security.apparmor
    if profile not in {"", "unconfined"} and not config.privileged:
        document["apparmorProfile"] = profile
    if config.oom_score_adj is not None:
        document["oomScoreAdj"] = config.oom_score_adj
    if terminal and all(facts.window):
        document["consoleSize"] = {"height": facts.window[0], "width": facts.window[1]}
    return document


def _wants_term(config: ContainerConfig, entries: Iterable[str]) -> bool:
    if config.unset_all_environment or "TERM" in config.unset_environment:
        return False
    return not any(entry.startswith("TERM=") for entry in entries)


def is_root(user: str) -> bool:
    """Whether USER[:GROUP] is root; a name that an image gives to uid 0 besides is not recognised."""
    return user.partition(":")[0] in {"", "0", "root"}


def is_own(namespace: Namespace) -> bool:
    """Whether the container gets a new namespace."""
    return namespace.mode in {"", "private", "shareable", "none"}


def has_own_network(config: ContainerConfig) -> bool:
    """Whether the container gets a new network namespace."""
    return config.networking.network.mode not in {"host", "container", "ns"}


def _with_init(arguments: tuple[str, ...], facts: Facts) -> tuple[str, ...]:
    return (INIT_PATH, "--", *arguments) if facts.init_program else arguments


INIT_PATH = "/run/podman-init"  # where podman has it, so that images that look for it find it


def _linux(config: ContainerConfig, facts: Facts) -> Linux:
    document: Linux = {
        "namespaces": _namespaces(config, facts),
        "uidMappings": _mappings(facts.uid_maps),
        "gidMappings": _mappings(facts.gid_maps),
        "devices": [
            {"path": inside, "type": "c", "major": 0, "minor": 0, "pod_source": outside}  # type: ignore[typeddict-unknown-key]  # bound, not made
            for outside, inside in (
                *((path, path) for path in defaults.DEVICES),
                *facts.devices,
            )
        ],
        "sysctl": _sysctls(config, facts),
        "resources": oci_resources(config.resources, facts.device_numbers),  # type: ignore[typeddict-item]  # built by key
        "maskedPaths": list(
            masked_paths(defaults.MASKED_PATHS, config.security, privileged=config.privileged)
        ),
        "readonlyPaths": [
            path
            for path in read_only_paths(
                defaults.READ_ONLY_PATHS, config.security, privileged=config.privileged
            )
            # systemd makes groups in the container's own part of the tree.
            if path != "/sys/fs/cgroup" or config.systemd != "always"
        ],
    }
    if config.personality:
        document["personality"] = {"domain": config.personality}
    if facts.cgroup:
        document["cgroupsPath"] = facts.cgroup
    return document


def _namespaces(config: ContainerConfig, facts: Facts) -> list[Any]:
    namespaces: list[dict[str, str]] = [{"type": "mount"}]
    if "user" not in facts.joined:
        namespaces.append({"type": "user"})
    own = {
        "pid": is_own(config.pid),
        "ipc": is_own(config.ipc),
        "uts": is_own(config.uts),
        "cgroup": is_own(config.cgroupns),
        "network": has_own_network(config),
    }
    namespaces += [{"type": kind} for kind, is_new in own.items() if is_new]
    namespaces += [{"type": kind, "path": path} for kind, path in facts.joined.items()]
    return namespaces


def _mappings(extents: IdMap) -> list[Any]:
    return [
        {"containerID": inside, "hostID": outside, "size": count}
        for inside, outside, count in extents
    ]


def _sysctls(config: ContainerConfig, facts: Facts) -> dict[str, str]:
    asked = dict(config.sysctls)
    if has_own_network(config):
        usual = dict(facts.default_sysctls)
        if facts.gid_maps and not _is_mapped(0, facts.gid_maps):
            usual.pop("net.ipv4.ping_group_range", None)  # it names group 0, who does not exist
        return {**usual, **asked}
    return asked


def _mounts(config: ContainerConfig, facts: Facts) -> list[RuntimeMount]:
    """The system's mounts, then the user's and our generated files, outer directories before inner ones."""
    asked = list(config.mounts)
    if config.systemd == "always":
        asked += _systemd_places(asked, config.systemd_shm_size)
    if config.read_only and config.read_only_tmpfs:
        asked += _writable_places(asked)
    targets = {mount.target for mount in asked}
    entries = [
        entry for entry in _system_mounts(config, facts) if entry["destination"] not in targets
    ]
    own = [_mount(mount, number, facts) for number, mount in enumerate(asked)]
    own += [
        _entry(path, "bind", source, ["bind", "rw", "rprivate", "nosuid", "nodev"])
        for top in ("", *config.roots)
        for name, source in facts.files.items()
        if (path := f"{top}{name}") not in targets
    ]
    if facts.init_program:
        path = config.arguments[0] if config.is_infra else INIT_PATH
        own.append(_entry(path, "bind", facts.init_program, ["bind", "ro", "rprivate"]))
    own.sort(key=lambda entry: entry["destination"].rstrip("/").count("/"))
    return [*entries, *own]


def lasting_mounts(config: ContainerConfig, facts: Facts) -> list[RuntimeMount]:
    """Those of the user's mounts that there is something in while the container does not run; outer ones first."""
    entries = [
        _mount(mount, number, facts)
        for number, mount in enumerate(config.mounts)
        if mount.kind in {"bind", "volume", "image"}
    ]
    return sorted(entries, key=lambda entry: entry["destination"].rstrip("/").count("/"))


def _entry(destination: str, kind: str, source: str, options: Iterable[str]) -> RuntimeMount:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def _system_mounts(config: ContainerConfig, facts: Facts) -> list[RuntimeMount]:
    entries = []
    is_host_ipc = config.ipc.mode == "host" or (
        config.ipc.mode == "container" and "ipc" not in facts.joined  # that one has the host's
    )
    for mount in (*defaults.MOUNTS, defaults.shm_mount(config.shm_size)):
        kind, source, options = mount.kind, mount.source, list(mount.options)
        if mount.target == "/proc":
            options += config.security.proc_options
            if config.pid.mode == "host":
                kind, source, options = "bind", "/proc", ["rbind", "nosuid", "noexec", "nodev"]
        elif mount.target == "/dev/pts" and not _is_mapped(5, facts.gid_maps):
            options = [word for word in options if word != "gid=5"]
        elif mount.target in {"/dev/shm", "/dev/mqueue"} and is_host_ipc:
            if mount.target not in facts.ipc_directories:
                continue
            kind, source, options = "bind", mount.target, ["rbind", "nosuid", "noexec", "nodev"]
        elif mount.target == "/dev/shm" and config.ipc.mode == "none":
            continue
        elif mount.target == "/dev/shm" and config.ipc.mode == "container":
            shared = _entry(mount.target, kind, source, options)
            shared["pod_shared"] = True  # type: ignore[typeddict-unknown-key]  # that of the other
            entries.append(shared)
            continue
        elif mount.target == "/sys" and not has_own_network(config):
            # A sysfs belongs to its network namespace; only who owns that may mount one.
            kind, source, options = "bind", "/sys", ["rbind", "nosuid", "noexec", "nodev", "ro"]
        elif mount.target == "/sys/fs/cgroup":
            if not facts.has_cgroup_tree or not has_own_network(config):
                continue  # in the second case it came along with /sys
            if not is_own(config.cgroupns):
                kind, source, options = (
                    "bind",
                    mount.target,
                    ["rbind", "nosuid", "noexec", "nodev", "ro"],
                )
        writes_sys = config.privileged or (
            config.systemd == "always" and mount.target == "/sys/fs/cgroup"
        )
        if writes_sys and mount.target.startswith("/sys") and kind != "bind":
            options = ["rw" if word == "ro" else word for word in options]
        entries.append(_entry(mount.target, kind, source, options))
    return entries


def _is_mapped(number: int, extents: IdMap) -> bool:
    return any(first <= number < first + count for first, _, count in extents)


def _systemd_places(asked: list[Mount], size_bytes: int) -> list[Mount]:
    from pod.spec.mounts import Mount

    taken = {mount.target for mount in asked}
    sizes = (f"size={size_bytes}",) if size_bytes else ()
    return [
        Mount("tmpfs", target, options=("nosuid", "nodev", f"mode={mode:o}", *sizes))
        for target, mode in defaults.SYSTEMD_TMPFS.items()
        if target not in taken
    ]


def _writable_places(asked: list[Mount]) -> list[Mount]:
    from pod.spec.mounts import Mount

    taken = {mount.target for mount in asked}
    return [
        Mount("tmpfs", target, options=("nosuid", "nodev"))
        for target in defaults.READ_ONLY_TMPFS
        if target not in taken
    ]


def _mount(mount: Mount, number: int, facts: Facts) -> RuntimeMount:
    """One mount of the user's. `number` tells the upper directories of several overlay mounts apart."""
    words = [*mount.options, "ro" if mount.read_only else "rw"]
    if mount.kind in {"tmpfs", "ramfs"}:
        return _entry(
            mount.target, mount.kind, "tmpfs", [*words, *(["tmpcopyup"] if mount.copy else [])]
        )
    if mount.kind == "devpts":
        return _entry(
            mount.target,
            "devpts",
            "devpts",
            ["nosuid", "noexec", "newinstance", "ptmxmode=0666", *words],
        )
    if mount.kind == "image":
        return _image_mount(mount, number, facts)
    source = mount.source
    if mount.kind == "volume":
        source = f"{facts.volumes}/{mount.source}/_data"
    if mount.overlay:
        directory = overlay_directory(facts.directory, number)
        return _overlay(
            mount.target,
            (source,),
            mount.overlay_upper or f"{directory}/upper",
            mount.overlay_work or f"{directory}/work",
        )
    bind = "rbind" if mount.recursive else "bind"
    if mount.read_only and mount.recursive_read_only:
        words.append("rro")
    entry = _entry(mount.target, "bind", source, [bind, mount.propagation, *words])
    if mount.subpath:
        # Resolved by the runtime, inside the source: what is in a volume was put there by containers.
        entry["pod_subpath"] = mount.subpath  # type: ignore[typeddict-unknown-key]
    return entry


def overlay_directory(container_directory: str, number: int) -> str:
    """Where the changes of the mount with this number in `ContainerConfig.mounts` go, for :O and image mounts."""
    return f"{container_directory}/overlay-{number}"


def _image_mount(mount: Mount, number: int, facts: Facts) -> RuntimeMount:
    lowers = facts.image_layers[mount.source]
    directory = overlay_directory(facts.directory, number)
    if mount.read_only:
        # An overlay without an upper directory wants two lower ones; an empty one does no harm.
        entry = _overlay(mount.target, (*lowers, f"{directory}/empty"), "", "")
    else:
        entry = _overlay(mount.target, lowers, f"{directory}/upper", f"{directory}/work")
    if mount.subpath:
        entry["pod_subpath"] = mount.subpath  # type: ignore[typeddict-unknown-key]
    return entry


def _overlay(target: str, lowers: tuple[str, ...], upper: str, work: str) -> RuntimeMount:
    escaped = ":".join(lower.replace("\\", "\\\\").replace(":", "\\:") for lower in lowers)
    words = [f"lowerdir={escaped}", "userxattr"]
    if upper:
        words += [f"upperdir={upper}", f"workdir={work}"]
    return _entry(target, "overlay", "overlay", words)
