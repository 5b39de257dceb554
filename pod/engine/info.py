"""`pod info`: what pod found on this machine and what it makes of it. The document has podman's shape.

Everything is looked up at the moment of asking; nothing is guessed. Fields of podman that have no meaning here are left
out, and those that are pod's own stand beside podman's: `storageDrivers`, `networkHelpers`, `runtimes`, `cgroupPath`.
"""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError
from pod.base.paths import is_rootless
from pod.base.version import VERSION
from pod.engine import info_host, network
from pod.linux import cgroups, idmap, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine

_HELPERS = ("pasta", "slirp4netns")
_RUNTIMES = ("crun", "runc", "youki", "runsc", "kata-runtime")
_LOG_DRIVERS = ["k8s-file", "json-file", "journald", "none", "passthrough"]


def document(engine: Engine) -> dict[str, Any]:
    """All of it. Probes the storage drivers that have not been probed yet; call with a single thread."""
    return {
        "host": _host(engine),
        "plugins": {
            "authorization": None,
            "log": _LOG_DRIVERS,
            "network": ["none", "host", *_HELPERS],
            "volume": ["local"],
        },
        "registries": _registries(engine),
        "store": _store(engine),
        "version": version(),
    }


def version() -> dict[str, Any]:
    """The version of pod, with podman's field names."""
    import platform  # heavy

    from pod.image.platform import host_platform

    host = host_platform()
    return {
        "APIVersion": VERSION,
        "Built": 0,
        "BuiltTime": "",
        "GitCommit": "",
        "GoVersion": "",
        "Os": host.os,
        "OsArch": f"{host.os}/{host.architecture}",
        "PythonVersion": platform.python_version(),
        "Version": VERSION,
    }


def _cgroup_manager(engine: Engine, delegated: str | None) -> str:
    """Who makes the cgroups of containers here: "systemd" only where it is asked."""
    from pod.linux import scopes

    asks = delegated is None and engine.cgroup_manager == "systemd" and scopes.user_bus()
    return "systemd" if asks else "cgroupfs"


def _host(engine: Engine) -> dict[str, Any]:
    from pod.image.platform import host_platform

    settings = engine.settings
    host = host_platform()
    delegated = cgroups.delegated_root()
    helpers = _network_helpers(engine)
    usable = [helper["name"] for helper in helpers if not helper["reason"]]
    found: dict[str, Any] = {
        "arch": host.architecture,
        "buildahVersion": VERSION,  # what builds, and what watches over containers, is pod itself
        "cgroupControllers": [] if delegated is None else cgroups.controllers(delegated),
        "cgroupManager": _cgroup_manager(engine, delegated),
        "cgroupPath": delegated or "",
        "cgroupVersion": "v2" if os.path.exists(f"{cgroups.MOUNT}/cgroup.controllers") else "v1",
        "conmon": _own_part("monitor"),
        "cpuUtilization": info_host.cpu_utilization(),
        "cpus": len(os.sched_getaffinity(0)),
        "databaseBackend": "sqlite",
        "distribution": info_host.distribution(),
        "eventLogger": "file" if engine.events.directory else "none",
        "hostname": os.uname().nodename,
        "idMappings": _id_mappings(),
        "kernel": os.uname().release,
        "linkmode": "python",
        "logDriver": settings.containers.log_driver,
        **info_host.memory(),
        "networkBackend": usable[0] if usable else "none",
        "networkHelpers": helpers,
        "ociRuntime": {"name": "pod", **_own_part("runtime")},
        "os": host.os,
        "remoteSocket": {"exists": False, "path": ""},
        "rootlessNetworkCmd": network.usual_backend(engine),
        "runtimes": _runtimes(engine),
        "security": _security(engine),
        "serviceIsRemote": False,
        "uptime": info_host.uptime(),
        "variant": host.variant,
    }
    for helper in helpers:
        found[helper["name"]] = {
            "executable": helper["executable"],
            "package": "Unknown",
            "version": helper["version"],
        }
    return found


def _id_mappings() -> dict[str, Any]:
    """The map that containers have by default."""
    uids, gids = idmap.default_maps()
    return {
        name: [
            {"container_id": inside, "host_id": outside, "size": count}
            for inside, outside, count in extents
        ]
        for name, extents in (("gidmap", gids), ("uidmap", uids))
    }


def _network_helpers(engine: Engine) -> list[dict[str, str]]:
    """The programs that connect containers, best first; `reason` says why one cannot be used."""
    wanted = dict.fromkeys([network.usual_backend(engine), *_HELPERS])
    helpers = []
    for name in wanted:
        if name not in _HELPERS:
            continue
        probe = __import__(f"netns.backends.{name}", fromlist=["probe"]).probe
        path = network.find_backend(engine, name)
        helpers.append(
            {
                "name": name,
                "executable": path,
                "version": info_host.version_of(path),
                "reason": probe(path),
            }
        )
    return helpers


def _own_part(name: str) -> dict[str, str]:
    """Of what is a program of its own elsewhere, and a package of ours."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return {
        "package": "Unknown",
        "path": f"{package}/{name}",
        "version": f"pod version {VERSION}, built in",
    }


def _runtimes(engine: Engine) -> list[dict[str, str]]:
    """The other OCI runtimes that `--runtime` can name: those of the configuration, and those in PATH."""
    configured = dict(engine.settings.engine.runtimes)
    found = []
    for name in dict.fromkeys((*configured, *_RUNTIMES)):
        candidates = [path for path in configured.get(name, ()) if os.access(path, os.X_OK)]
        path = candidates[0] if candidates else processes.find_program(name)
        if path:
            found.append({"name": name, "path": path, "version": info_host.version_of(path)})
    return found


def _security(engine: Engine) -> dict[str, Any]:
    from pod.engine.launch import default_profile

    settings = engine.settings.containers
    return {
        "apparmorEnabled": info_host.has_apparmor(),
        "capabilities": ",".join(settings.default_capabilities),
        "rootless": is_rootless(),
        "seccompEnabled": info_host.has_seccomp(),
        "seccompProfilePath": settings.seccomp_profile or default_profile(),
        "selinuxEnabled": os.path.exists("/sys/fs/selinux/enforce"),
    }


def _registries(engine: Engine) -> dict[str, Any]:
    from pod.engine.images import registries

    config = registries(engine)
    found: dict[str, Any] = {
        rule.prefix: {
            "Prefix": rule.prefix,
            "Location": rule.location,
            "Insecure": rule.insecure,
            "Blocked": rule.blocked,
            "MirrorByDigestOnly": rule.mirror_by_digest_only,
            "Mirrors": [
                {
                    "Location": mirror.location,
                    "Insecure": mirror.insecure,
                    "PullFromMirror": mirror.pull,
                }
                for mirror in rule.mirrors
            ],
        }
        for rule in config.rules
    }
    return found | {"search": list(config.search)}


def _store(engine: Engine) -> dict[str, Any]:
    root = engine.paths.root
    drivers = _drivers(engine)
    chosen = next((name for name, why in drivers.items() if not why), "")
    try:
        chosen = engine.rootfs.driver().name
    except PodError as error:
        log.warning(error.message)
    place = info_host.existing_parent(root)
    space = os.statvfs(place)
    overlay = not drivers.get("overlay", "-")
    return {
        "configFile": _config_file(engine),
        "containerStore": _container_counts(engine),
        "graphDriverName": chosen,
        "graphOptions": {},
        "graphRoot": root,
        "graphRootAllocated": space.f_blocks * space.f_frsize,
        "graphRootUsed": (space.f_blocks - space.f_bfree) * space.f_frsize,
        "graphStatus": {
            "Backing Filesystem": info_host.file_system(place),
            "Native Overlay Diff": "true" if overlay else "false",
            "Supports d_type": "true",  # as every file system that pod's drivers work on
            "Using metacopy": "false",
        },
        "imageCopyTmpDir": f"{root}/images/partial",
        "imageStore": {"number": len(engine.store.images.list())},
        "runRoot": engine.paths.runroot,
        "storageDrivers": {name: why or "works" for name, why in drivers.items()},
        "transientStore": False,
        "volumePath": engine.paths.volumes,
    }


def _drivers(engine: Engine) -> dict[str, str]:
    """Why each storage driver cannot be used, best first; "" when it can."""
    from storage.drivers import table

    root = engine.paths.root
    known = table.known_probes(root)
    if not os.path.isdir(root):
        from pod.base.paths import make_private

        make_private(root)
    return {
        name: known[name] if name in known else table.by_name(name).probe(root)
        for name in table.NAMES
    }


def _config_file(engine: Engine) -> str:
    """The storage.conf that counts; "" when there is none."""
    return next(
        (source.path for source in engine.places.storage_sources() if os.path.exists(source.path)),
        "",
    )


def _container_counts(engine: Engine) -> dict[str, int]:
    if not os.path.exists(engine.paths.database):
        return {"number": 0, "paused": 0, "running": 0, "stopped": 0}
    from pod.engine import list as listing

    found = listing.containers(engine, everything=True)
    running = sum(1 for it in found if it.is_running and it.state != "paused")
    return {
        "number": len(found),
        "paused": sum(1 for it in found if it.state == "paused"),
        "running": running,
        "stopped": sum(1 for it in found if not it.is_running),
    }
