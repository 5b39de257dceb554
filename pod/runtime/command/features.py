"""What this runtime can do, as the JSON of the OCI runtime specification's features.md; and a first config.json."""

from __future__ import annotations

import os

from pod.linux import capabilities, libseccomp, mounts, namespaces
from pod.runtime import hooks, rootfs, security
from pod.runtime.command.states import OCI_VERSION
from pod.spec import defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def features() -> dict[str, Any]:
    """The document. What it names is asked of the code that does it, so that it cannot promise more."""
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": list(hooks.KINDS),
        "mountOptions": sorted(
            {*rootfs.MOUNT_OPTIONS, *mounts.PROPAGATION, "rro", "tmpcopyup", "defaults"}
        ),
        "linux": {
            "namespaces": sorted(namespaces.FLAGS),
            "capabilities": list(capabilities.NAMES),
            "cgroup": {
                "v1": False,
                "v2": True,
                "systemd": False,
                "systemdUser": False,
                "rdma": True,
            },
            "seccomp": {
                "enabled": True,
                "actions": sorted(libseccomp.ACTIONS),
                "operators": sorted(libseccomp.OPERATORS),
                "archs": list(libseccomp.ARCHITECTURES),
                "knownFlags": sorted(security.SECCOMP_FLAGS),
                "supportedFlags": sorted(security.SECCOMP_FLAGS),
            },
            "apparmor": {"enabled": True},
            "selinux": {"enabled": True},
            "intelRdt": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": False}},
        },
        "annotations": {},
        "potentiallyUnsafeConfigAnnotations": ["run.oci.keep_original_groups"],
    }


def template(*, rootless: bool) -> dict[str, Any]:
    """A config.json for a shell in `rootfs`, to begin with."""
    kinds = ["pid", "network", "ipc", "uts", "cgroup", "mount"]
    document: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": {
            "terminal": True,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "TERM=xterm",
            ],
            "cwd": "/",
            "capabilities": {
                name: list(defaults.CAPABILITIES) for name in ("bounding", "effective", "permitted")
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "container",
        "mounts": [
            {
                "destination": mount.target,
                "type": mount.kind,
                "source": mount.source,
                "options": [word for word in mount.options if not (rootless and word == "gid=5")],
            }
            for mount in (*defaults.MOUNTS, defaults.shm_mount(65536000))
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in kinds],
            "maskedPaths": list(defaults.MASKED_PATHS),
            "readonlyPaths": list(defaults.READ_ONLY_PATHS),
        },
    }
    if rootless:
        linux = document["linux"]
        linux["namespaces"].append({"type": "user"})
        linux["uidMappings"] = [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
        linux["gidMappings"] = [{"containerID": 0, "hostID": os.getegid(), "size": 1}]
    return document
