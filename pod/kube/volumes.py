"""Volumes of pods: what is made or found for each, and the mount that a container gets of it."""

from __future__ import annotations

import os

from pod.base.records import Record
from pod.kube import quantities
from pod.kube.fields import check_name
from pod.spec import yaml_text
from pod.spec.mounts import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pod.kube.fields import Fields
    from pod.kube.values import Sources

# Sources that belong to a cluster or its storage.
_ELSEWHERE = (
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi ephemeral fc flexVolume flocker gcePersistentDisk "
    "gitRepo glusterfs iscsi nfs photonPersistentDisk portworxVolume projected quobyte rbd scaleIO storageos "
    "vsphereVolume downwardAPI"
).split()
_HOST_TYPES = (
    "", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket", "CharDevice", "BlockDevice",
)  # fmt: skip


class File(Record):
    """One file of a volume made from a ConfigMap or Secret; `mode` are permission bits."""

    path: str
    content: bytes
    mode: int


class PodVolume(Record):
    """One volume of a pod.

    kind      "bind" (`source` is a path), "tmpfs", "volume" (`source` is its name)
    owned     the volume belongs to the pod and goes with it; `files` are what it is filled with
    creates   "directory" or "file": what is made where the path of a bind mount is not there
    expects   "directory", "file", "socket", "character device", "block device" or "" for anything
    """

    name: str
    kind: str
    source: str = ""
    owned: bool = False
    files: tuple[File, ...] = ()
    creates: str = ""
    expects: str = ""
    size: int = 0  # bytes, of a tmpfs; 0 for no limit
    read_only: bool = False


def read(fields: Fields, pod: str, sources: Sources) -> dict[str, PodVolume]:
    """`volumes` of a pod, by name."""
    found: dict[str, PodVolume] = {}
    for one in fields.tables("volumes"):
        name = _needed_name(one, "name")
        if name in found:
            one.wrong(f"there is a volume '{name}' already", "name")
        one.refuse("it needs a cluster or another machine", *_ELSEWHERE)
        kinds = [kind for kind in _READERS if one.has(kind)]
        if len(kinds) > 1:
            one.wrong(f"volume '{name}' has {' and '.join(kinds)}; it can have one of them")
        kind = kinds[0] if kinds else "emptyDir"
        table = one.table(kind)
        found[name] = _READERS[kind](table, name, pod, sources)
        table.end()
        one.end()
    return found


def _host_path(fields: Fields, name: str, pod: str, sources: Sources) -> PodVolume:
    path = fields.needed("path")
    kind = fields.choice("type", _HOST_TYPES, "")
    if not path.startswith("/"):
        # As podman: a path beside the file of documents.
        base = os.path.dirname(fields.source.removeprefix("file '").removesuffix("'"))
        path = os.path.join(os.path.abspath(base), path)
    expects = {"Directory": "directory", "File": "file", "Socket": "socket"} | {
        "CharDevice": "character device", "BlockDevice": "block device",
    }  # fmt: skip
    creates = {"DirectoryOrCreate": "directory", "FileOrCreate": "file"}.get(kind, "")
    return PodVolume(
        name, "bind", os.path.normpath(path), creates=creates,
        expects=expects.get(kind, creates),
    )  # fmt: skip


def _empty(fields: Fields, name: str, pod: str, sources: Sources) -> PodVolume:
    medium = fields.choice("medium", ("", "Memory"), "")
    size = fields.checked("sizeLimit", quantities.bytes_of) if fields.has("sizeLimit") else 0
    if medium:
        return PodVolume(name, "tmpfs", size=size)
    if size:
        fields.notes.add(
            f"{fields.where('sizeLimit')}: '{fields.path}.sizeLimit' has no effect: an ordinary user has no quotas; "
            "medium: Memory has a limit"
        )
    return PodVolume(name, "volume", f"{pod}-{name}", owned=True)


def _claim(fields: Fields, name: str, pod: str, sources: Sources) -> PodVolume:
    return PodVolume(
        name, "volume", _needed_name(fields, "claimName"), read_only=fields.truth("readOnly")
    )


def _needed_name(fields: Fields, key: str) -> str:
    fields.needed(key)
    return fields.valid(key, check_name)


def _config_map(fields: Fields, name: str, pod: str, sources: Sources) -> PodVolume:
    return _filled(fields, "ConfigMap", fields.needed("name"), name, pod, sources)


def _secret(fields: Fields, name: str, pod: str, sources: Sources) -> PodVolume:
    return _filled(fields, "Secret", fields.needed("secretName"), name, pod, sources)


_USUAL_MODE = 0o644


def _filled(
    fields: Fields, kind: str, wanted: str, name: str, pod: str, sources: Sources
) -> PodVolume:
    optional = fields.truth("optional")
    source = sources.find(fields, kind, wanted, optional=optional)
    content = source.content if source else {}
    usual = _mode(fields, "defaultMode", _USUAL_MODE)
    files = []
    items = fields.tables("items")
    for item in items:
        key, path = item.needed("key"), item.needed("path")
        parts = path.split("/")
        if path.startswith("/") or ".." in parts or "" in parts:
            item.wrong(f"'{path}' is not a path below the volume", "path")
        mode = _mode(item, "mode", usual)
        item.end()
        if key in content:
            files.append(File(path, content[key], mode))
        elif not optional:
            item.wrong(f"{kind} '{wanted}' has no key '{key}'", "key")
    if not items:
        for key, value in content.items():
            if "/" in key or key in {"", ".", ".."} or "\0" in key:
                fields.wrong(f"key '{key}' of {kind} '{wanted}' cannot be the name of a file")
            files.append(File(key, value, usual))
    return PodVolume(
        name, "volume", f"{pod}-{name}", owned=True, files=tuple(files), read_only=True
    )


def _mode(fields: Fields, key: str, default: int) -> int:
    """Permission bits. YAML 1.2 writes octal numbers as 0o644; 0644, as of YAML 1.1, is read as that too."""
    value = fields.number(key)
    if value is None:
        return default
    if yaml_text.is_old_octal(fields.raw(key)):
        value = int(str(value), 8)
    if not 0 <= value <= 0o777:
        fields.wrong(f"'{key}' is {value}; permission bits are between 0 and 0o777 (511)", key)
    return value


_READERS = {
    "hostPath": _host_path,
    "emptyDir": _empty,
    "persistentVolumeClaim": _claim,
    "configMap": _config_map,
    "secret": _secret,
}


def mounts(fields: Fields, volumes: Mapping[str, PodVolume]) -> tuple[Mount, ...]:
    """`volumeMounts` and `volumeDevices` of a container as mounts."""
    found: dict[str, Mount] = {}
    for one in fields.tables("volumeMounts"):
        name, target = one.needed("name"), one.needed("mountPath")
        volume = volumes.get(name)
        if volume is None:
            known = ", ".join(volumes) or "none"
            one.wrong(f"the pod has no volume '{name}'; it has {known}", "name")
        if not target.startswith("/") or target == "/":
            one.wrong(f"'{target}' is not an absolute path in a container", "mountPath")
        if target in found:
            one.wrong(f"two volumes are mounted at '{target}'", "mountPath")
        propagation = one.choice(
            "mountPropagation", ("None", "HostToContainer", "Bidirectional"), "None"
        )
        found[target] = _mount(one, volume, os.path.normpath(target), _PROPAGATIONS[propagation])
        one.refuse("write the path out: subPath", "subPathExpr")
        one.ignore("", "recursiveReadOnly")
        one.end()
    return tuple(found.values())


_PROPAGATIONS = {"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


def _mount(fields: Fields, volume: PodVolume, target: str, propagation: str) -> Mount:
    subpath = fields.text("subPath")
    if subpath.startswith("/") or ".." in subpath.split("/"):
        fields.wrong(f"'{subpath}' is not a path below the volume", "subPath")
    read_only = fields.truth("readOnly") or volume.read_only
    origin = f"volumeMounts: {volume.name}"
    if volume.kind == "bind":
        source = os.path.join(volume.source, subpath) if subpath else volume.source
        return Mount(
            "bind", target, source, read_only=read_only, propagation=propagation, origin=origin
        )
    if volume.kind == "tmpfs":
        size = (f"size={volume.size}",) if volume.size else ()
        options = ("nosuid", "nodev", *size)
        if subpath:
            fields.wrong("a volume in memory has no subPath", "subPath")
        return Mount("tmpfs", target, read_only=read_only, options=options, origin=origin)
    return Mount(
        "volume", target, volume.source, read_only=read_only, subpath=subpath,
        copy=not volume.files, origin=origin,
    )  # fmt: skip
