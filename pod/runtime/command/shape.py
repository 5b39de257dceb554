"""What a config.json must look like: names and types of the OCI runtime specification, and the check of a document.

Whatever a document says that the specification does not know is left out, so that no word of it reaches the runtime
unchecked; the specification wants unknown properties to be ignored.
"""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class InvalidDocument(PodError):
    """A document that does not follow the specification; the message names the place."""


class Each:
    """An object whose names are free."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Whole:
    """An object of which no name may be missing."""

    def __init__(self, **names: Any) -> None:
        self.names = names


class OneOf:
    """A string out of a list."""

    def __init__(self, *words: str) -> None:
        self.words = words


class Number:
    """A whole number within limits, both included."""

    def __init__(self, lowest: int, highest: int) -> None:
        self.lowest = lowest
        self.highest = highest


class Path:
    """An absolute path."""


class HostName:
    """A text that sethostname(2) takes."""


_LONGEST_NAME = 64  # bytes: sethostname(2), __NEW_UTS_LEN
_INT64 = Number(-(2**63), 2**63 - 1)
_UINT64 = Number(0, 2**64 - 1)
_UINT32 = Number(0, 2**32 - 1)
_UINT16 = Number(0, 2**16 - 1)
_ID = Number(0, 2**32 - 2)

_CAPABILITIES = {
    name: [str] for name in ("bounding", "effective", "inheritable", "permitted", "ambient")
}

PROCESS: dict[str, Any] = {
    "cwd": Path(),
    "user": {"uid": _ID, "gid": _ID, "umask": Number(0, 0o777), "additionalGids": [_ID]},
    "args": [str],
    "env": [str],
    "terminal": bool,
    "consoleSize": {"height": _UINT16, "width": _UINT16},
    "capabilities": _CAPABILITIES,
    "rlimits": [{"type": str, "soft": _UINT64, "hard": _UINT64}],
    "noNewPrivileges": bool,
    "apparmorProfile": str,
    "oomScoreAdj": Number(-1000, 1000),
    "selinuxLabel": str,
    "ioPriority": {
        "class": OneOf("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"),
        "priority": Number(0, 7),
    },
    "scheduler": {
        "policy": OneOf(
            "SCHED_OTHER",
            "SCHED_FIFO",
            "SCHED_RR",
            "SCHED_BATCH",
            "SCHED_ISO",
            "SCHED_IDLE",
            "SCHED_DEADLINE",
        ),
        "nice": Number(-20, 19),
        "priority": Number(0, 99),
        "flags": [
            OneOf(
                "SCHED_FLAG_RESET_ON_FORK",
                "SCHED_FLAG_RECLAIM",
                "SCHED_FLAG_DL_OVERRUN",
                "SCHED_FLAG_KEEP_POLICY",
                "SCHED_FLAG_KEEP_PARAMS",
                "SCHED_FLAG_UTIL_CLAMP_MIN",
                "SCHED_FLAG_UTIL_CLAMP_MAX",
            )
        ],
        "runtime": _UINT64,
        "deadline": _UINT64,
        "period": _UINT64,
    },
}

_MAPPING = Whole(containerID=_ID, hostID=_ID, size=Number(1, 2**32 - 1))
_HOOK = {"path": Path(), "args": [str], "env": [str], "timeout": Number(1, 2**31 - 1)}
_WEIGHT = Whole(major=_UINT32, minor=_UINT32, weight=_UINT16)
_RATE = Whole(major=_UINT32, minor=_UINT32, rate=_UINT64)

RESOURCES: dict[str, Any] = {
    "devices": [
        {"allow": bool, "type": str, "major": _INT64, "minor": _INT64, "access": str},
    ],
    "memory": {
        "limit": _INT64,
        "reservation": _INT64,
        "swap": _INT64,
        "kernel": _INT64,
        "kernelTCP": _INT64,
        "swappiness": _UINT64,
        "disableOOMKiller": bool,
        "useHierarchy": bool,
        "checkBeforeUpdate": bool,
    },
    "cpu": {
        "shares": _UINT64,
        "quota": _INT64,
        "burst": _UINT64,
        "period": _UINT64,
        "realtimeRuntime": _INT64,
        "realtimePeriod": _UINT64,
        "cpus": str,
        "mems": str,
        "idle": _INT64,
    },
    "pids": {"limit": _INT64},
    "blockIO": {
        "weight": _UINT16,
        "leafWeight": _UINT16,
        "weightDevice": [_WEIGHT],
        "throttleReadBpsDevice": [_RATE],
        "throttleWriteBpsDevice": [_RATE],
        "throttleReadIOPSDevice": [_RATE],
        "throttleWriteIOPSDevice": [_RATE],
    },
    "hugepageLimits": [{"pageSize": str, "limit": _UINT64}],
    "network": {"classID": _UINT32, "priorities": [{"name": str, "priority": _UINT32}]},
    "rdma": Each({"hcaHandles": _UINT32, "hcaObjects": _UINT32}),
    "unified": Each(str),
}

CONFIG: dict[str, Any] = {
    "ociVersion": str,
    "root": {"path": str, "readonly": bool},
    "mounts": [
        {
            "destination": str,
            "type": str,
            "source": str,
            "options": [str],
            "uidMappings": [_MAPPING],
            "gidMappings": [_MAPPING],
        }
    ],
    "process": PROCESS,
    "hostname": HostName(),
    "domainname": HostName(),
    "hooks": {
        kind: [_HOOK]
        for kind in (
            "prestart",
            "createRuntime",
            "createContainer",
            "startContainer",
            "poststart",
            "poststop",
        )
    },
    "annotations": Each(str),
    "linux": {
        "namespaces": [
            {
                "type": OneOf("pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"),
                "path": Path(),
            }
        ],
        "uidMappings": [_MAPPING],
        "gidMappings": [_MAPPING],
        "devices": [
            {
                "type": OneOf("c", "b", "u", "p"),
                "path": Path(),
                "major": _INT64,
                "minor": _INT64,
                "fileMode": _UINT32,
                "uid": _ID,
                "gid": _ID,
            }
        ],
        "cgroupsPath": str,
        "resources": RESOURCES,
        "rootfsPropagation": OneOf(
            "shared",
            "slave",
            "private",
            "unbindable",
            "rshared",
            "rslave",
            "rprivate",
            "runbindable",
        ),
        "seccomp": {
            "defaultAction": str,
            "defaultErrnoRet": _UINT32,
            "architectures": [str],
            "flags": [str],
            "listenerPath": str,
            "listenerMetadata": str,
            "syscalls": [
                {
                    "names": [str],
                    "action": str,
                    "errnoRet": _UINT32,
                    "args": [
                        {"index": Number(0, 5), "value": _UINT64, "valueTwo": _UINT64, "op": str}
                    ],
                }
            ],
        },
        "sysctl": Each(str),
        "maskedPaths": [Path()],
        "readonlyPaths": [Path()],
        "mountLabel": str,
        "intelRdt": Each(None),
        "personality": {"domain": OneOf("LINUX", "LINUX32"), "flags": [str]},
        "timeOffsets": Each({"secs": _INT64, "nanosecs": Number(0, 999_999_999)}),
    },
}


def checked(value: Any, shape: Any, where: str) -> Any:
    """The document without what the shape does not know; absent and null are the same. Raises InvalidDocument."""
    if isinstance(shape, dict):
        _expect(value, dict, "an object", where)
        return {
            name: checked(value[name], inner, f"{where}.{name}" if where else name)
            for name, inner in shape.items()
            if value.get(name) is not None
        }
    if isinstance(shape, Whole):
        found = checked(value, shape.names, where)
        for name in shape.names:
            if name not in found:
                raise InvalidDocument(f"'{where}.{name}' is missing")
        return found
    if isinstance(shape, list):
        _expect(value, list, "a list", where)
        return [checked(entry, shape[0], f"{where}[{index}]") for index, entry in enumerate(value)]
    if isinstance(shape, Each):
        _expect(value, dict, "an object", where)
        return {
            _text(name, where): entry
            if shape.value is None
            else checked(entry, shape.value, f"{where}.{name}")
            for name, entry in value.items()
        }
    if isinstance(shape, Number):
        _expect(value, int, "a whole number", where)
        if isinstance(value, bool) or not shape.lowest <= value <= shape.highest:
            raise InvalidDocument(
                f"'{where}' is {_shown(value)}, and must be from {shape.lowest} to {shape.highest}"
            )
        return value
    if shape is bool:
        _expect(value, bool, "true or false", where)
        return value
    return _checked_text(value, shape, where)


def _checked_text(value: Any, shape: Any, where: str) -> str:
    text = _text(value, where)
    if isinstance(shape, OneOf) and text not in shape.words:
        raise InvalidDocument(
            f"'{where}' is {_shown(text)}, and must be one of {', '.join(shape.words)}"
        )
    if isinstance(shape, HostName) and len(text.encode()) > _LONGEST_NAME:
        raise InvalidDocument(
            f"'{where}' is {_shown(text)}, and must have no more than {_LONGEST_NAME} bytes"
        )
    if isinstance(shape, Path) and not text.startswith("/"):
        raise InvalidDocument(f"'{where}' is {_shown(text)}, and must be an absolute path")
    return text


def _text(value: Any, where: str) -> str:
    _expect(value, str, "a string", where)
    if "\0" in value:
        raise InvalidDocument(f"'{where}' has a NUL byte in it")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidDocument(f"'{where}' is not text: it has half of a character in it") from None
    return str(value)


def _expect(value: Any, kind: type, name: str, where: str) -> None:
    if not isinstance(value, kind):
        subject = f"'{where}'" if where else "the document"
        raise InvalidDocument(f"{subject} is {_shown(value)}, and must be {name}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def require(document: dict[str, Any], *places: str) -> None:
    """Raise InvalidDocument unless every place, such as "process.cwd", is there."""
    for place in places:
        value: Any = document
        for name in place.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            raise InvalidDocument(f"'{place}' is missing")
