"""What the containers of a service see: its volumes, tmpfs, secrets and configs."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.compose.errors import FileError
from pod.compose.tree import text_of
from pod.spec.container import SecretUse
from pod.spec.mounts import Mount, VolumesFrom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.compose.project import Project
    from pod.compose.reading import Reading

_ORIGIN = "volumes"


def of_service(reading: Reading) -> list[Mount]:
    """The mounts of a service, with files of secrets and configs that are mounted as they are."""
    from pod.spec.mounts import parse_tmpfs

    service = reading.service
    found = []
    for index, entry in enumerate(service.get("volumes") or ()):
        found.append(reading.at((_ORIGIN, index), _mount, reading, entry, index))
    for entry in service.get("tmpfs") or ():
        found.append(reading.at(("tmpfs",), parse_tmpfs, entry))
    for kind in ("secrets", "configs"):
        for use in service.get(kind) or ():
            resource = getattr(reading.project, kind)[use["source"]]
            if is_mounted(resource, use):
                found.append(
                    Mount(
                        "bind", _target(kind, use), source=resource["file"], read_only=True,
                        origin=f"{kind}: {use['source']}",
                    )
                )  # fmt: skip
    return found


def _mount(reading: Reading, entry: Any, index: int) -> Mount:
    kind = entry["type"]
    target = os.path.normpath(entry["target"])
    if not target.startswith("/"):
        raise PodError(f"'{entry['target']}' is not an absolute path")
    if kind in {"npipe", "cluster"}:
        raise reading.refused(_ORIGIN, f"the type {kind} belongs to Windows or to Swarm", "", index)
    common: dict[str, Any] = {
        "read_only": _true(entry.get("read_only", False)),
        "origin": f"{entry.get('source', '')}:{target}",
    }
    if kind == "bind":
        return _bind(entry, target, common)
    if kind == "tmpfs":
        return _tmpfs(entry, target, common)
    if kind == "image":
        subpath = (entry.get("image") or {}).get("subpath", "")
        return Mount(
            kind, target, entry["source"], subpath=subpath, **{**common, "read_only": True}
        )
    source = entry.get("source", "")
    options = entry.get("volume") or {}
    return Mount(
        kind,
        target,
        reading.project.name_of("volumes", source) if source else "",
        copy=not _true(options.get("nocopy", False)),
        subpath=options.get("subpath", ""),
        **common,
    )


def _bind(entry: Any, target: str, common: dict[str, Any]) -> Mount:
    options = entry.get("bind") or {}
    source = entry["source"]
    recursive = options.get("recursive", "enabled")
    if recursive not in {"enabled", "disabled", "writable", "readonly"}:
        raise PodError(f"recursive: '{recursive}' is none of enabled, disabled, writable, readonly")
    relabel = {"z": "shared", "Z": "private", "": ""}.get(options.get("selinux", ""), "")
    return Mount(
        "bind",
        target,
        source,
        propagation=options.get("propagation", "rprivate"),
        recursive=recursive != "disabled",
        recursive_read_only=recursive != "writable",
        relabel=relabel,
        **common,
    )


def make_sources(project: Project, name: str) -> None:
    """Make the directories of the host that a service mounts and that are not there, as docker does."""
    service = project.service(name)
    for index, entry in enumerate(service.get("volumes") or ()):
        if entry["type"] != "bind" or os.path.lexists(entry["source"]):
            continue
        place, where = service["volumes"].place_of(index), ("services", name, "volumes", index)
        if not _true((entry.get("bind") or {}).get("create_host_path", True)):
            raise FileError(
                place, where, f"there is no '{entry['source']}', and create_host_path is false"
            )
        try:
            os.makedirs(entry["source"], exist_ok=True)
        except OSError as error:
            raise FileError(
                place, where, f"'{entry['source']}' cannot be made: {error.strerror}"
            ) from error


def _tmpfs(entry: Any, target: str, common: dict[str, Any]) -> Mount:
    from pod.spec.mounts import parse_tmpfs

    options = entry.get("tmpfs") or {}
    words = []
    if options.get("size"):
        from pod.base.units import parse_size

        words.append(f"size={parse_size(text_of(options['size']))}")
    if options.get("mode") is not None:
        mode = options["mode"]
        words.append(f"mode={mode:o}" if isinstance(mode, int) else f"mode={mode}")
    if common["read_only"]:
        words.append("ro")
    return parse_tmpfs(f"{target}:{','.join(words)}" if words else target)


def volumes_from(reading: Reading, names: Callable[[str], str]) -> tuple[VolumesFrom, ...]:
    """Volumes of other services, or of containers: `container:NAME`."""
    from pod.spec.mounts import parse_volumes_from

    found = []
    for entry in reading.service.get("volumes_from") or ():
        if entry.startswith("container:"):
            text = entry.removeprefix("container:")
        else:
            service, colon, mode = entry.partition(":")
            text = f"{names(service)}{colon}{mode}"
        found.append(reading.at(("volumes_from",), parse_volumes_from, text))
    return tuple(found)


def is_mounted(resource: Any, use: Any) -> bool:
    """Whether a secret or config is its file, mounted: a change of it is seen at once. Others are copied."""
    return "file" in resource and not {"uid", "gid", "mode"}.intersection(use)


def secrets_of(reading: Reading) -> tuple[SecretUse, ...]:
    """Secrets and configs that are copied into the container: those with an owner or mode, or without a file."""
    found = []
    for kind in ("secrets", "configs"):
        for use in reading.service.get(kind) or ():
            resource = getattr(reading.project, kind)[use["source"]]
            if is_mounted(resource, use):
                continue
            mode = use.get("mode", 0o444)
            found.append(
                SecretUse(
                    stored_name(reading.project, kind, use["source"]),
                    target=_target(kind, use),
                    uid=_number(reading, kind, use, "uid"),
                    gid=_number(reading, kind, use, "gid"),
                    mode=mode if isinstance(mode, int) else int(str(mode), 8),
                )
            )
    return tuple(found)


def stored_name(project: Project, kind: str, key: str) -> str:
    """The name under which pod stores what is copied; that of an external one is its own."""
    return project.name_of(kind, key)


def _target(kind: str, use: Any) -> str:
    target: str = use["target"]
    if target.startswith("/"):
        return target
    return f"/run/secrets/{target}" if kind == "secrets" else f"/{target}"


def _number(reading: Reading, kind: str, use: Any, key: str) -> int:
    text = text_of(use.get(key, "0"))
    if not text.isdecimal():
        raise reading.wrong(kind, f"{key} is a number, not '{text}'")
    return int(text)


def _true(value: Any) -> bool:
    from pod.compose.reading import is_true

    return is_true(value)
