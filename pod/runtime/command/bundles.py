"""A bundle as another program wrote it -> what `runtime/create.py` gets. Refuses, with the reason, what we cannot do.

See the OCI runtime specification, bundle.md, config.md and config-linux.md. A bundle is not trusted: whatever it says,
the answer is a container or one sentence.
"""

from __future__ import annotations

import json
import os
import stat

from pod.base import log
from pod.base.errors import PodError, Unsupported
from pod.linux import capabilities, cgroups, idmap
from pod.runtime.command import shape
from pod.runtime.security import SECCOMP_FLAGS
from pod.spec.cgroup_values import cgroup_files, resources_of
from pod.spec.defaults import DEVICES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.linux.idmap import IdMap

_LARGEST = 16 << 20  # bytes of a config.json
_KEEP_GROUPS = (
    "run.oci.keep_original_groups"  # crun(1), as podman sets it for --group-add keep-groups
)
_VERSION_1 = ("kernel", "kernelTCP", "swappiness", "disableOOMKiller")


def read_document(path: str) -> Any:
    """The JSON in a file of a foreigner. Raises PodError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise PodError(f"'{path}' cannot be read: {error.strerror}") from error
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode) or status.st_size > _LARGEST:
            raise PodError(f"'{path}' is a directory, or larger than {_LARGEST >> 20} MiB")
        data = file.read(_LARGEST)
    return parse_document(data or b"", path)


def parse_document(data: bytes, origin: str) -> Any:
    """JSON of a foreigner. Raises PodError."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise PodError(f"'{origin}' is not JSON: {why}") from None


def read_config(directory: str, path: str = "") -> dict[str, Any]:
    """config.json of a bundle, or another file: checked, with the paths that it names made absolute."""
    path = os.path.join(directory, path or "config.json")
    document: dict[str, Any] = shape.checked(read_document(path), shape.CONFIG, "")
    shape.require(
        document, "ociVersion", "root.path", "process.cwd", "process.args", "process.user", "linux"
    )
    if not document["ociVersion"].startswith("1."):
        raise PodError(f"version '{document['ociVersion']}' of the specification is not known")
    complete(document, directory)
    if not os.path.isdir(document["root"]["path"]):
        raise PodError(
            f"the root file system '{document['root']['path']}' does not exist or is no directory"
        )
    return document


def complete(document: dict[str, Any], directory: str) -> None:
    """Check what the shape of a configuration cannot say, and make its paths absolute."""
    document["root"]["path"] = os.path.join(directory, document["root"]["path"])
    document["mounts"] = [
        _mount(entry, number, directory) for number, entry in enumerate(document.get("mounts", []))
    ]
    _complete_hooks(document)
    check_process(document["process"])
    _check_linux(document)


def check_process(process: dict[str, Any]) -> None:
    """What the shape of a `process` cannot say. Completes it."""
    shape.require(process, "cwd", "args", "user")
    if not process["args"]:
        raise shape.InvalidDocument("'process.args' is empty")
    for name in ("uid", "gid"):
        process["user"].setdefault(name, 0)
    process.setdefault("env", [])
    for entry in process["env"]:
        if "=" not in entry[1:]:
            raise shape.InvalidDocument(f"'process.env' has '{entry}', which is not NAME=VALUE")
    for number, limit in enumerate(process.get("rlimits", ())):
        shape.require(limit, "type", "soft", "hard")
        if limit["soft"] > limit["hard"]:
            raise shape.InvalidDocument(
                f"'process.rlimits[{number}]' has a soft limit above the hard one"
            )
    for name, values in (process.get("capabilities") or {}).items():
        for value in values:
            if value.removeprefix("CAP_") not in _KNOWN_CAPABILITIES:
                # The specification wants a warning, not an error, for what a newer kernel may have.
                log.warning(f"capability '{value}' is not known to this runtime")
        process["capabilities"][name] = [
            value for value in values if value.removeprefix("CAP_") in _KNOWN_CAPABILITIES
        ]
    _check_labels(process)
    if process.get("ioPriority"):
        shape.require(process["ioPriority"], "class")
    if process.get("scheduler"):
        shape.require(process["scheduler"], "policy")


_KNOWN_CAPABILITIES = frozenset(name.removeprefix("CAP_") for name in capabilities.NAMES)


def _check_labels(process: dict[str, Any]) -> None:
    profile = process.get("apparmorProfile")
    if profile and not _is_on("/sys/module/apparmor/parameters/enabled", "Y"):
        raise PodError(
            f"AppArmor profile '{profile}' cannot be applied: this kernel has AppArmor off"
        )
    label = process.get("selinuxLabel")
    if label and not os.path.exists("/sys/fs/selinux/enforce"):
        raise PodError(f"SELinux label '{label}' cannot be applied: this kernel has SELinux off")


def _is_on(path: str, letter: str) -> bool:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip() == letter
    except OSError:
        return False


def _mount(entry: dict[str, Any], number: int, directory: str) -> dict[str, Any]:
    """A mount with an absolute destination and, for a bind, an absolute source."""
    shape.require(entry, "destination")
    options = entry.get("options", [])
    if entry.get("uidMappings") or entry.get("gidMappings") or {"idmap", "ridmap"} & set(options):
        raise Unsupported(
            f"the id-mapped mount on '{entry['destination']}'",
            "the kernel lets nobody but root make one, and this runtime does not",
        )
    is_bind = "bind" in options or "rbind" in options or entry.get("type") == "bind"
    changed = {
        **entry,
        "destination": os.path.normpath("/" + entry["destination"].lstrip("/")),
        "options": options,
    }
    if is_bind:
        if not entry.get("source"):
            raise shape.InvalidDocument(f"'mounts[{number}].source' is missing")
        changed["source"] = os.path.join(directory, entry["source"])
    elif not entry.get("type"):
        raise shape.InvalidDocument(f"'mounts[{number}].type' is missing")
    return changed


def _complete_hooks(document: dict[str, Any]) -> None:
    hooks = {kind: entries for kind, entries in document.get("hooks", {}).items() if entries}
    for kind, entries in hooks.items():
        for number, hook in enumerate(entries):
            if not hook.get("path"):
                raise shape.InvalidDocument(f"'hooks.{kind}[{number}].path' is missing")
    document.pop("hooks", None)
    if hooks:
        document["hooks"] = hooks


def _check_linux(document: dict[str, Any]) -> None:
    linux = document["linux"]
    kinds = [entry.get("type") for entry in linux.setdefault("namespaces", [])]
    if None in kinds or len(set(kinds)) != len(kinds):
        raise shape.InvalidDocument("'linux.namespaces' has a kind twice, or an entry without one")
    own = {entry["type"] for entry in linux["namespaces"] if not entry.get("path")}
    if "mount" not in own:
        raise Unsupported(
            "a container without a mount namespace of its own",
            "its mounts would become those of the host",
        )
    has_maps = bool(linux.get("uidMappings")) and bool(linux.get("gidMappings"))
    if "user" in own and not has_maps:
        raise shape.InvalidDocument(
            "'linux.uidMappings' or 'linux.gidMappings' is missing for a new user namespace"
        )
    if linux.get("timeOffsets") and "time" not in own:
        raise shape.InvalidDocument("'linux.timeOffsets' needs a time namespace of its own")
    for clock in linux.get("timeOffsets", ()):
        if clock not in {"monotonic", "boottime"}:
            raise shape.InvalidDocument(f"'linux.timeOffsets' has the unknown clock '{clock}'")
    if (linux.get("personality") or {}).get("flags"):
        raise Unsupported("'linux.personality.flags'", "the specification defines none")
    if linux.get("intelRdt"):
        raise Unsupported("'linux.intelRdt'", "only root can assign cache and memory bandwidth")
    if "uts" not in own and (document.get("hostname") or document.get("domainname")):
        raise shape.InvalidDocument("'hostname' and 'domainname' need a UTS namespace of its own")
    for name in linux.get("sysctl", ()):
        if ".." in name.split("/") or not name:
            raise shape.InvalidDocument(f"'linux.sysctl' has '{name}', which is no parameter")
    _check_seccomp(linux.get("seccomp"))


def _check_seccomp(seccomp: dict[str, Any] | None) -> None:
    if seccomp is None:
        return
    shape.require(seccomp, "defaultAction")
    actions = {
        seccomp["defaultAction"],
        *(rule.get("action") for rule in seccomp.get("syscalls", ())),
    }
    if seccomp.get("listenerPath") or "SCMP_ACT_NOTIFY" in actions:
        raise Unsupported(
            "seccomp's notification of another program (listenerPath, SCMP_ACT_NOTIFY)",
            "this runtime cannot pass the filter's descriptor on",
        )
    for name in seccomp.get("flags", ()):
        if name not in SECCOMP_FLAGS:
            raise Unsupported(f"seccomp flag '{name}'", f"known are {', '.join(SECCOMP_FLAGS)}")
    for number, rule in enumerate(seccomp.get("syscalls", ())):
        if not rule.get("names") or not rule.get("action"):
            raise shape.InvalidDocument(
                f"'linux.seccomp.syscalls[{number}]' has no names or no action"
            )


def maps_of(config: dict[str, Any]) -> tuple[IdMap, IdMap] | None:
    """The id maps of a new user namespace; None when the container gets none of its own."""
    linux = config["linux"]
    if {"type": "user"} not in linux["namespaces"]:
        return None
    uids, gids = (
        tuple(
            (entry["containerID"], entry["hostID"], entry["size"])
            for entry in sorted(linux[name], key=lambda entry: int(entry["containerID"]))
        )
        for name in ("uidMappings", "gidMappings")
    )
    return uids, gids


def runtime_bundle(
    name: str,
    config: dict[str, Any],
    *,
    directory: str,
    cgroup: str,
    keyring: bool,
    keep_fds: list[int],
) -> dict[str, Any]:
    """What create.create gets; `directory` is that of the state."""
    maps = maps_of(config)
    root = config["root"]["path"]
    keeps_groups = config.get("annotations", {}).get(_KEEP_GROUPS) == "1"
    own = os.geteuid()
    return {
        "id": name,
        "config": {
            **config,
            "root": {**config["root"], "path": f"{directory}/rootfs"},
            "linux": {**config["linux"], "devices": _devices(config)},
        },
        "rootfs": {"kind": "directory", "path": root},
        "user": "",
        "groups": ["keep-groups"] if keeps_groups else [],
        "passwd_entry": None,
        "caller": None,
        "make_cwd": True,
        "reaper": False,
        "closed_sources": maps is not None
        and not any(host <= own < host + count for _, host, count in maps[0]),
        "keyring": keyring,
        "seccomp": None,
        "seccomp_flags": sum(
            SECCOMP_FLAGS[name] for name in (config["linux"].get("seccomp") or {}).get("flags", ())
        ),
        "keep_fds": keep_fds,
        "waits_apart": True,
        "cgroup": cgroup,
        "cgroup_files": limits_of(config["linux"].get("resources", {})),
    }


def _devices(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The devices to bind: those of the document and the usual ones; none where /dev is somebody else's."""
    if any(
        entry["destination"] == "/dev"
        and (
            "bind" in entry["options"] or "rbind" in entry["options"] or entry.get("type") == "bind"
        )
        for entry in config["mounts"]
    ):
        return []
    mounted = {entry["destination"] for entry in config["mounts"]}
    asked = {}
    for number, entry in enumerate(config["linux"].get("devices", ())):
        shape.require(entry, "type", "path")
        path = os.path.normpath(entry["path"])
        asked[path] = {"path": path, "pod_source": _node(entry, path, number)}
    usual = {path: {"path": path} for path in DEVICES if path not in mounted}
    return list({**usual, **asked}.values())


def _node(entry: dict[str, Any], path: str, number: int) -> str:
    """The host's node for a device, which an ordinary user cannot make."""
    if entry["type"] == "p":
        raise Unsupported(f"the pipe '{path}' among the devices", "only device nodes are bound")
    shape.require(entry, "major", "minor")
    wanted = os.makedev(entry["major"] & 0xFFFFFFFF, entry["minor"] & 0xFFFFFFFF)
    kind = stat.S_ISBLK if entry["type"] == "b" else stat.S_ISCHR
    for candidate in (path, *_below_dev("/dev")):
        try:
            status = os.stat(candidate, follow_symlinks=False)
        except OSError:
            continue
        if kind(status.st_mode) and status.st_rdev == wanted:
            return candidate
    raise PodError(
        f"device '{path}' ({entry['major']}:{entry['minor']}) is not among those of the host"
    )


def _below_dev(directory: str) -> list[str]:
    found = []
    for top, _, names in os.walk(directory):
        found += [f"{top}/{name}" for name in names]
    return found


def limits_of(resources: dict[str, Any]) -> dict[str, str]:
    """`linux.resources` as files of cgroup v2. Raises PodError for what only version 1 has."""
    memory = resources.get("memory", {})
    for name in _VERSION_1:
        if memory.get(name) and name != "swappiness":
            raise Unsupported(
                f"'linux.resources.memory.{name}'", "version 2 of control groups has no such limit"
            )
    cpu = resources.get("cpu", {})
    if cpu.get("realtimeRuntime") or cpu.get("realtimePeriod"):
        raise Unsupported(
            "'linux.resources.cpu.realtimeRuntime'", "version 2 of control groups has no such limit"
        )
    for name in resources.get("unified", ()):
        if "/" in name or name in {"", ".", ".."}:
            raise shape.InvalidDocument(
                f"'linux.resources.unified' has '{name}', which is no file of a cgroup"
            )
    limits = cgroup_files(resources_of(resources))
    if cpu.get("burst"):
        limits["cpu.max.burst"] = str(cpu["burst"])
    if cpu.get("idle"):
        limits["cpu.idle"] = str(cpu["idle"])
    for entry in resources.get("hugepageLimits", ()):
        shape.require(entry, "pageSize", "limit")
        if "/" in entry["pageSize"]:
            raise shape.InvalidDocument(f"page size '{entry['pageSize']}' is not valid")
        limits[f"hugetlb.{entry['pageSize']}.max"] = str(entry["limit"])
    for device, values in resources.get("rdma", {}).items():
        words = [
            f"{word}={values[key]}"
            for key, word in (("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object"))
            if key in values
        ]
        limits["rdma.max"] = f"{device} {' '.join(words)}"
    return limits


def restricts_devices(resources: dict[str, Any]) -> bool:
    """Whether rules want less than what a container gets anyway: the devices that it is given, to read and write.

    The rule that denies everything, with which engines begin, wants just that.
    """
    for rule in resources.get("devices", ()):
        is_for_all = rule.get("type", "a") == "a" and {rule.get(name, -1) for name in _NUMBERS} <= {
            -1
        }
        access = set(rule.get("access") or "rwm")
        if not is_for_all and (not rule.get("allow") or not access >= {"r", "w"}):
            return True
    return False


_NUMBERS = ("major", "minor")


def cgroup_of(path: str, name: str, *, manager: str) -> str:
    """The directory of the container's cgroup; "" for none.

    `path` is cgroupsPath, below the hierarchy or in systemd's form SLICE:PREFIX:NAME; `manager` is "cgroupfs" or
    "disabled". A caller without a delegated tree has no cgroups, and gets none.
    """
    if manager == "disabled":
        return ""
    root = cgroups.delegated_root()
    if path.count(":") == 2:
        return f"{root}/{_unit_of(path, name)[1]}" if root else ""
    if not path:
        return f"{root}/pod-runtime-{name}" if root else ""
    whole = os.path.normpath(f"{cgroups.MOUNT}/{path.lstrip('/')}")
    if path.startswith("/"):
        parent = whole
        while not os.path.isdir(parent):
            parent = os.path.dirname(parent)
        if parent.startswith(cgroups.MOUNT) and os.access(parent, os.W_OK):
            return whole
        return ""
    return os.path.normpath(f"{root}/{path}") if root else ""


def scope_of(path: str, name: str) -> dict[str, str]:
    """What to ask systemd for (pod/linux/scopes.py), as cgroupsPath says. Raises ScopeRefused without a systemd."""
    from pod.linux import scopes

    slice_, unit = _unit_of(path, name)
    bus = scopes.manager_bus()
    if not bus:
        raise scopes.ScopeRefused("it does not run here, or without D-Bus")
    return {
        "unit": unit,
        "slice": slice_ or ("system.slice" if os.geteuid() == 0 else "user.slice"),
        "bus": bus,
        "description": f"container {name}",
    }


def _unit_of(path: str, name: str) -> tuple[str, str]:
    """The slice and the unit in SLICE:PREFIX:NAME, or those of a container for which it says nothing."""
    if path and path.count(":") != 2:
        raise PodError(
            f"cgroupsPath '{path}' is not SLICE:PREFIX:NAME, which --systemd-cgroup needs"
        )
    slice_, prefix, last = path.split(":") if path else ("", "pod-runtime", name)
    return slice_, f"{prefix}-{last or name}.scope" if prefix else f"{last or name}.scope"


def is_own_namespace(maps: tuple[IdMap, IdMap] | None) -> bool:
    """Whether a container with these maps (None: none of its own) stays in the caller's user namespace."""
    return maps is None or idmap.is_own_map(*maps)
