"""What a start needs to know of this machine: ids, limits, cgroups, devices, namespaces to join (spec/bundle.py)."""

from __future__ import annotations

import os
import resource

from pod.base import log
from pod.base.errors import PodError, Unsupported, UsageError
from pod.base.records import Record
from pod.linux import cgroups, idmap, namespaces
from pod.linux.capabilities import NAMES, last_known
from pod.spec.bundle import Facts, is_own
from pod.spec.cgroup_values import cgroup_files
from pod.spec.kernel_options import parse_sysctl
from pod.spec.resources import LimitsNotApplied, Resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pod.engine.context import Engine
    from pod.linux.idmap import IdMap
    from pod.spec.container import ContainerConfig
    from pod.state.containers import Container

_LIMITS = {
    name.removeprefix("RLIMIT_").lower(): getattr(resource, name)
    for name in dir(resource)
    if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE"
}


class Placement(Record):
    """The container's cgroup, and the values to write there; "" where nothing is delegated.

    `asked` are those that were asked for, not only usual; `unapplied` those of them that cannot be had for want of a
    cgroup. `scope` is what pod/linux/scopes.py needs to get one from systemd; {} when there is no need or no way.
    """

    path: str
    files: dict[str, str]
    asked: tuple[str, ...] = ()
    unapplied: tuple[str, ...] = ()
    group: Mapping[
        str, Any
    ] = {}  # the cgroup of the pod, in which the container's is: "path", "files", "tells"
    scope: Mapping[str, str] = {}


def collect(
    engine: Engine,
    container: Container,
    files: dict[str, str],
    window: tuple[int, int],
    *,
    starts: bool = True,
    joins: bool = True,
) -> tuple[Facts, Placement]:
    """The facts for one start, and where the container is put. `files` are the generated ones, by path inside.

    Unless it `starts` now, nothing is said about limits that cannot be applied. Unless it `joins` namespaces of others,
    these need not run any more.
    """
    config = container.config
    settings = engine.settings.containers
    joined = _joined_namespaces(engine, config) if joins else {}
    uids, gids = maps_of(config) if "user" not in joined else ((), ())
    placement = _placement(engine, container, starts=starts)
    if placement.unapplied and starts:
        _tell_unapplied(container, placement.unapplied)
    facts = Facts(
        container_id=container.id,
        directory=engine.paths.container(container.id),
        volumes=engine.paths.volumes,
        uid_maps=uids,
        gid_maps=gids,
        available_capabilities=NAMES[: last_known() + 1],
        own_limits=own_limits(),
        default_limits=settings.default_ulimits,
        default_capabilities=settings.default_capabilities,
        default_sysctls=dict(parse_sysctl(text) for text in settings.default_sysctls),
        joined=joined,
        files=files,
        image_layers=image_layers(engine, config),
        devices=_devices(config),
        device_numbers=device_numbers(config.resources),
        cgroup=placement.path,
        has_cgroup_tree=os.path.exists(f"{cgroups.MOUNT}/cgroup.controllers")
        or is_own(config.cgroupns),
        ipc_directories=tuple(path for path in ("/dev/shm", "/dev/mqueue") if os.path.isdir(path)),
        init_program=init_program(engine, config),
        window=window,
    )
    return facts, placement


def maps_of(config: ContainerConfig) -> tuple[IdMap, IdMap]:
    """The id maps that the container's --userns asks for."""
    if config.userns.mode in {"", "host", "private"}:
        return idmap.default_maps()
    from pod.spec.userns_maps import check_root, effective_maps  # few have maps of their own

    maps = effective_maps(config.userns, idmap.default_maps(), (os.geteuid(), os.getegid()))
    if config.userns.mode == "map":
        check_root(maps)
    return maps


def special_maps(engine: Engine, config: ContainerConfig) -> tuple[IdMap, IdMap] | None:
    """The id maps of a container whose layers need other owners than usual; None for the usual maps.

    A container that joins another one's namespaces is in the user namespace of that one.
    """
    joined: tuple[Any, ...] = (
        config.userns,
        config.networking.network,
        config.pid,
        config.ipc,
        config.uts,
        config.cgroupns,
    )
    for namespace in joined:
        if namespace.mode == "container":
            from pod.engine import lookup

            return special_maps(engine, lookup.container(engine, namespace.joined).config)
    if config.userns.mode in {"", "host", "private", "ns"}:
        return None
    maps = maps_of(config)
    if os.geteuid() == 0 and maps != idmap.default_maps():
        raise Unsupported(
            "--uidmap and --gidmap for root",
            "the layers of root's images can only be seen with the ids of the machine",
            hint="run the container as an ordinary user, for whom both work",
        )
    return maps


def is_caller_absent(maps: tuple[IdMap, IdMap] | None) -> bool:
    """Whether the caller is nobody in a container with these maps, so that its root cannot use the caller's files."""
    own = os.geteuid()
    return maps is not None and not any(host <= own < host + count for _, host, count in maps[0])


def own_limits() -> dict[str, tuple[int, int]]:
    """The caller's resource limits, (soft, hard) by name; -1 for none."""
    return {name: _limit(number) for name, number in _LIMITS.items()}


def _limit(number: int) -> tuple[int, int]:
    soft, hard = resource.getrlimit(number)
    return (
        -1 if soft == resource.RLIM_INFINITY else soft,
        -1 if hard == resource.RLIM_INFINITY else hard,
    )


def _joined_namespaces(engine: Engine, config: ContainerConfig) -> dict[str, str]:
    """The paths of namespaces of others. All containers that are joined must share one user namespace."""
    from pod.engine import lookup

    wanted: dict[str, Any] = {
        "pid": config.pid,
        "ipc": config.ipc,
        "uts": config.uts,
        "cgroup": config.cgroupns,
        "network": config.networking.network,
        "user": config.userns,
    }
    paths: dict[str, str] = {}
    owners: dict[tuple[int, int], int] = {}
    for kind, namespace in wanted.items():
        if namespace.mode == "ns":
            paths[kind] = _checked(kind, namespace.joined)
        elif namespace.mode == "container":
            _, run = lookup.running(engine, namespace.joined)
            pid = namespaces.holder(run.pid)
            # That of the machine, with --network=host of the other, nobody else may join, and we are in it.
            ours = namespaces.identity(os.getpid(), kind)
            if kind == "user" or namespaces.identity(pid, kind) != ours:
                paths[kind] = namespaces.file_of(pid, kind)
            owners[namespaces.identity(pid, "user")] = pid
    if len(owners) > 1:
        raise UsageError(
            "namespaces of containers with different user namespaces cannot be joined together",
            hint="join those of one container",
        )
    own = namespaces.identity(os.getpid(), "user")
    for identity, pid in owners.items():
        if identity != own:
            paths.setdefault("user", namespaces.file_of(pid, "user"))
    return paths


def _checked(kind: str, path: str) -> str:
    """The path, which must be that of such a namespace. Raises UsageError."""
    option = {"user": "--userns", "cgroup": "--cgroupns"}.get(kind, f"--{kind}")
    try:
        found = namespaces.kind_of(path)
    except OSError as error:
        raise UsageError(f"'{path}' of {option} cannot be opened: {error.strerror}") from error
    if found != kind:
        raise UsageError(
            f"'{path}' of {option} is {f'a namespace of kind {found}' if found else 'no namespace'}",
            hint=f"{option} ns:/proc/PID/ns/NAME, or {option} container:NAME",
        )
    if kind == "user" and os.stat(path).st_ino == os.stat("/proc/self/ns/user").st_ino:
        raise UsageError(
            f"'{path}' of --userns is your own user namespace, in which only root can make containers",
            hint="leave --userns out: you are root in the container then, and yourself outside",
        )
    return path


def limits_of(engine: Engine, config: ContainerConfig) -> Resources:
    """The limits of the container, those of the configuration files included."""
    limits = config.resources
    if not limits.pids_limit:
        limits = limits.replace(pids_limit=engine.settings.containers.pids_limit)
    return limits


def _placement(engine: Engine, container: Container, *, starts: bool) -> Placement:
    config = container.config
    if config.cgroups == "disabled":
        return Placement("", {})
    limits = limits_of(engine, config)
    files = cgroup_files(limits, device_numbers(limits))
    asked = asked_files(config, files)
    if config.cgroups == "split" or "PODMAN_SYSTEMD_UNIT" in os.environ:
        from pod.engine import unit_cgroup
        from pod.linux import unit_group

        unit = unit_cgroup.directory(engine, config)
        if unit is not None:
            if starts:
                unit_group.make_room(unit)
            return Placement(f"{unit}/pod-{container.id}", files, asked)
    root = cgroups.delegated_root()
    if config.pod:
        from pod.engine import pod_cgroup

        return pod_cgroup.placement(engine, container, root, files, asked)
    if root is None:
        if scope := scope_for(engine, container, config.cgroup_parent):
            return Placement("", files, asked, scope=scope)
        return Placement("", files, asked, asked)
    return Placement(f"{parent_in(root, config.cgroup_parent)}/pod-{container.id}", files, asked)


def parent_in(root: str, cgroup_parent: str) -> str:
    """The directory below the delegated one that --cgroup-parent names, which is made if it is missing."""
    parent = root
    if cgroup_parent:
        parent = f"{root}/{cgroup_parent.strip('/')}"
        try:
            os.makedirs(parent, exist_ok=True)
        except OSError as error:
            raise PodError(
                f"cgroup '{parent}' of --cgroup-parent cannot be made: {error.strerror}"
            ) from error
    return parent


def scope_for(engine: Engine, container: Container, cgroup_parent: str) -> dict[str, str]:
    """The scope to ask systemd for; {} where there is no systemd of the user, or where it is not to be asked."""
    from pod.linux import scopes  # for those to whom nothing is delegated

    bus = scopes.user_bus()
    if (
        engine.cgroup_manager != "systemd"
        or not bus
        or not os.path.exists(f"{cgroups.MOUNT}/cgroup.controllers")
    ):
        return {}
    parent = cgroup_parent.strip("/") or "user.slice"
    if "/" in parent or not parent.endswith(".slice"):
        raise PodError(
            f"systemd makes no cgroup in '{parent}' of --cgroup-parent, which is no slice",
            hint="--cgroup-parent NAME.slice",
        )
    return {
        "unit": f"pod-{container.id}.scope",
        "slice": parent,
        "bus": bus,
        "description": f"container {container.name}",
    }


NO_CGROUP = "no cgroup is delegated to you"


def asked_files(config: ContainerConfig, files: dict[str, str]) -> tuple[str, ...]:
    """Those of the cgroup's files for whose limit the user has asked: all but the usual limit of processes."""
    is_usual = config.resources.pids_limit <= 0
    return tuple(sorted(name for name in files if not (is_usual and name == "pids.max")))


def _tell_unapplied(container: Container, unapplied: tuple[str, ...]) -> None:
    names = ", ".join(unapplied)
    if container.config.require_limits:
        raise LimitsNotApplied(container.name, names, NO_CGROUP)
    log.warning(f"limits of container '{container.name}' are not applied ({names}): {NO_CGROUP}")


def device_numbers(resources: Resources) -> dict[str, str]:
    """ "MAJOR:MINOR" of the block devices that limits name by path."""
    numbers = {}
    for limits in (
        resources.blkio_weight_devices,
        resources.read_bps,
        resources.write_bps,
        resources.read_iops,
        resources.write_iops,
    ):
        for limit in limits:
            if limit.device.startswith("/"):
                try:
                    rdev = os.stat(limit.device).st_rdev
                except OSError as error:
                    raise PodError(
                        f"device '{limit.device}' of a limit: {error.strerror}"
                    ) from error
                numbers[limit.device] = f"{os.major(rdev)}:{os.minor(rdev)}"
    return numbers


def image_layers(engine: Engine, config: ContainerConfig) -> dict[str, tuple[str, ...]]:
    """The layer directories, topmost first, of the images that are mounted."""
    found = {}
    for mount in config.mounts:
        if mount.kind == "image" and mount.source not in found:
            image = engine.store.images.lookup(mount.source)
            maps = special_maps(engine, config)
            if maps is not None:
                found[mount.source] = engine.rootfs.mapped_layers(image.diff_ids, maps)
                continue
            found[mount.source] = tuple(
                engine.store.layers.path(diff_id) for diff_id in reversed(image.diff_ids)
            )
    return found


def _devices(config: ContainerConfig) -> tuple[tuple[str, str], ...]:
    """(on the host, in the container): what was asked for, and with --privileged everything that can be opened."""
    pairs: list[tuple[str, str]] = []
    if config.privileged:
        pairs += [(path, path) for path in _nodes("/dev", "/dev")]
    for device in config.devices:
        if device.cdi:
            continue  # engine/cdi.py
        if os.path.isdir(device.source):
            pairs += [
                (path, device.target + path[len(device.source) :])
                for path in _nodes(device.source, device.source)
            ]
        else:
            pairs.append((device.source, device.target))
    return tuple(dict.fromkeys(pairs))


_NOT_IN_DEV = {"pts", "shm", "mqueue", "fd", "console", "hugepages"}
_USUAL = {
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
}


def _nodes(top: str, directory: str) -> list[str]:
    """The device files below a directory that the caller can open in some way; terminals of others are left out."""
    import stat

    found = []
    try:
        opened = os.scandir(directory)
    except PermissionError:
        return []
    with opened as entries:
        for entry in entries:
            if directory == "/dev" and (entry.name in _NOT_IN_DEV or entry.path in _USUAL):
                continue
            if entry.is_symlink():
                continue
            if entry.is_dir():
                found += _nodes(top, entry.path)
                continue
            mode = entry.stat().st_mode
            if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and os.access(entry.path, os.R_OK):
                found.append(entry.path)
    return found


def init_program(engine: Engine, config: ContainerConfig) -> str:
    """The program for --init, from --init-path, the configuration or PATH; "" for pod's own, or without --init.

    Of an infra container without an image, the only program that there is.
    """
    if config.is_infra and not config.image:
        from pod.engine import pod_create

        return pod_create.pause_program(engine)
    if not config.init:
        return ""
    from pod.linux.processes import find_program

    path = config.init_path or engine.settings.containers.init_path
    if path:
        if not os.access(path, os.X_OK):
            raise PodError(f"init program '{path}' cannot be executed", hint="see --init-path")
        return path
    return find_program("catatonit", *engine.settings.engine.helper_binaries_dir) or ""
