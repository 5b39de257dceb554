"""CDI devices: `--device vendor.com/class=name` by the files in which vendors say what a device needs.

The format is the Container Device Interface's, SPEC.md: a kind, devices by name, and for each of them, and for all of
them together, edits of the container: environment, device nodes, mounts, hooks, groups.
"""

from __future__ import annotations

import json
import os

from pod.base import log
from pod.base.errors import PodError
from pod.runtime.command import shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

_LARGEST = 4 << 20
_ID = shape.Number(0, 2**32 - 2)
_EDITS = {
    "env": [str],
    "deviceNodes": [
        {"path": shape.Path(), "hostPath": shape.Path(), "type": str, "permissions": str}
    ],
    "mounts": [
        {"hostPath": shape.Path(), "containerPath": shape.Path(), "type": str, "options": [str]}
    ],
    "hooks": [
        {
            "hookName": shape.OneOf(
                "prestart",
                "createRuntime",
                "createContainer",
                "startContainer",
                "poststart",
                "poststop",
            ),
            "path": shape.Path(),
            "args": [str],
            "env": [str],
            "timeout": shape.Number(1, 2**31 - 1),
        }
    ],
    "additionalGids": [_ID],
}
_SPECIFICATION = {
    "cdiVersion": str,
    "kind": str,
    "devices": [{"name": str, "containerEdits": _EDITS}],
    "containerEdits": _EDITS,
}


class NoSuchDevice(PodError):
    """No CDI file has a device of this name."""


def edits_of(names: Sequence[str], directories: Sequence[str]) -> list[dict[str, Any]]:
    """The edits for these devices, in their order; those of a file once, before its first device.

    A directory that comes later takes precedence. Raises NoSuchDevice, or PodError for a device that two files of one
    directory have.
    """
    known, unread = _known(directories)
    edits: list[dict[str, Any]] = []
    seen: set[str] = set()
    for name in names:
        if name not in known:
            raise _no_such(name, known, directories, unread)
        path, common, own = known[name]
        if path not in seen and common:
            edits.append(common)
        seen.add(path)
        edits.append(own)
    return edits


def _known(
    directories: Sequence[str],
) -> tuple[dict[str, tuple[str, dict[str, Any], dict[str, Any]]], list[str]]:
    """By full name: the file, the edits that it has for all, and those of the device. And files that were not read."""
    known: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}
    unread: list[str] = []
    for directory in directories:
        here: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}
        for path in _files(directory):
            document = _read(path, unread)
            for device in document.get("devices", ()):
                name = f"{document.get('kind', '')}={device.get('name', '')}"
                if name in here:
                    raise PodError(
                        f"CDI device '{name}' is both in '{here[name][0]}' and in '{path}'"
                    )
                own = device.get("containerEdits", {})
                here[name] = (path, document.get("containerEdits", {}), own)
        known.update(here)
    return known, unread


def _files(directory: str) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []  # few machines have any
    return [f"{directory}/{name}" for name in names if name.endswith((".json", ".yaml", ".yml"))]


def _read(path: str, unread: list[str]) -> dict[str, Any]:
    """A file; {} for one that cannot be used, which is said only when the device is not found elsewhere."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST)
        value = json.loads(data) if path.endswith(".json") else _yaml(data)
        document = shape.checked(value, _SPECIFICATION, "")
    except (OSError, ValueError, RecursionError, PodError) as error:
        log.debug(f"CDI file '{path}' is not used: {error}")
        unread.append(f"'{path}' ({error})")
        return {}
    return dict(document)


def _yaml(data: bytes) -> Any:
    from pod.spec import yaml_text  # few files are

    return yaml_text.parse(data)


def _no_such(
    name: str, known: Iterable[str], directories: Sequence[str], unread: list[str]
) -> NoSuchDevice:
    where = ", ".join(directories) or "no directory: cdi_spec_dirs is empty"
    skipped = f"; not read: {'; '.join(unread)}" if unread else ""
    kind = name.partition("=")[0]
    similar = sorted(other for other in known if other.startswith(f"{kind}="))
    hint = (
        f"there are {', '.join(similar)}"
        if similar
        else "the vendor's tool writes such a file, for instance: nvidia-ctk cdi generate --output=/etc/cdi/nvidia.json"
    )
    return NoSuchDevice(f"CDI device '{name}' is not known (searched: {where}{skipped})", hint=hint)


def apply(document: dict[str, Any], edits: Iterable[dict[str, Any]]) -> None:
    """Put the edits into an OCI runtime configuration."""
    process, linux = document["process"], document["linux"]
    for edit in edits:
        names = {entry.partition("=")[0] for entry in edit.get("env", ())}
        kept = [entry for entry in process["env"] if entry.partition("=")[0] not in names]
        process["env"] = [*kept, *edit.get("env", ())]
        for node in edit.get("deviceNodes", ()):
            source = node.get("hostPath") or node["path"]
            linux["devices"] += [
                {"path": inside, "type": "c", "major": 0, "minor": 0, "pod_source": outside}
                for outside, inside in _nodes(source, node["path"])
            ]
        for mount in edit.get("mounts", ()):
            document["mounts"].append(
                {
                    "destination": mount["containerPath"],
                    "type": mount.get("type") or "bind",
                    "source": mount["hostPath"],
                    "options": mount.get("options") or ["bind", "ro", "nosuid", "nodev"],
                }
            )
        for hook in edit.get("hooks", ()):
            plain = {key: value for key, value in hook.items() if key != "hookName"}
            document.setdefault("hooks", {}).setdefault(hook["hookName"], []).append(plain)
        groups = process["user"].setdefault("additionalGids", [])
        groups += [gid for gid in edit.get("additionalGids", ()) if gid and gid not in groups]


def _nodes(source: str, target: str) -> Iterator[tuple[str, str]]:
    """A node, or all those in a directory: (on the host, in the container)."""
    if not os.path.isdir(source):
        yield source, target
        return
    for top, _, names in os.walk(source):
        for name in names:
            yield f"{top}/{name}", f"{target}{top[len(source) :]}/{name}"
