"""From documents to what is to be made: everything is read and checked before anything is made."""

from __future__ import annotations

from pod.base.records import Record
from pod.kube import documents, pods, values
from pod.kube.values import Sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pod.kube.documents import Document
    from pod.kube.fields import Notes
    from pod.kube.pods import PlannedPod, PlayOptions
    from pod.kube.values import Source

_VOLUME_OPTIONS = {
    "volume.podman.io/device": "device",
    "volume.podman.io/type": "type",
    "volume.podman.io/mount-options": "o",
}
_DRIVER, _UID, _GID = (f"volume.podman.io/{word}" for word in ("driver", "uid", "gid"))


class PlannedVolume(Record):
    """One PersistentVolumeClaim: a named volume that stays until `kube down --force`."""

    name: str
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}
    uid: int | None = None
    gid: int | None = None


class PlannedSecret(Record):
    """One Secret, kept as the JSON of its document, which YAML is."""

    name: str
    document: bytes
    labels: Mapping[str, str] = {}


class Plan(Record):
    volumes: tuple[PlannedVolume, ...]
    secrets: tuple[PlannedSecret, ...]
    pods: tuple[PlannedPod, ...]


def make(
    texts: Sequence[tuple[str, bytes]],
    config_maps: Sequence[tuple[str, bytes]],
    options: PlayOptions,
    stored: Callable[[str], Source | None],
    notes: Notes,
) -> Plan:
    """The plan for texts, each with the words by which errors name it. Raises KubeError."""
    found = [one for source, data in texts for one in documents.read(data, source, notes)]
    sources = Sources(stored)
    for source, data in config_maps:
        for document in documents.read(data, source, notes):
            if document.kind == "ConfigMap":
                sources.config_maps[document.name] = values.config_map(document)
    claims, secrets = [], []
    for document in found:
        if document.kind == "ConfigMap":
            sources.config_maps[document.name] = values.config_map(document)
        elif document.kind == "Secret":
            sources.secrets[document.name] = read = values.secret(document)
            secrets.append(PlannedSecret(read.name, _secret_document(read), document.labels))
        elif document.kind == "PersistentVolumeClaim":
            claims.append(_claim(document))
    planned = [
        pods.read(document, sources, options)
        for document in found
        if document.kind not in {"ConfigMap", "Secret", "PersistentVolumeClaim"}
    ]
    return Plan(tuple(claims), tuple(secrets), tuple(planned))


def names_of(
    texts: Sequence[tuple[str, bytes]], notes: Notes
) -> tuple[list[str], list[str], list[str]]:
    """The names of the pods, volumes and secrets of the documents, which may be incomplete otherwise."""
    names: dict[str, list[str]] = {"pod": [], "volume": [], "secret": []}
    for source, data in texts:
        for document in documents.read(data, source, notes):
            if document.kind == "Pod":
                names["pod"].append(document.name)
            elif document.kind == "PersistentVolumeClaim":
                names["volume"].append(document.name)
            elif document.kind == "Secret":
                names["secret"].append(document.name)
            elif document.kind != "ConfigMap":
                names["pod"].append(f"{document.name}-pod")
    return names["pod"], names["volume"], names["secret"]


def _secret_document(source: Source) -> bytes:
    import base64
    import json

    data = {key: base64.b64encode(value).decode() for key, value in source.content.items()}
    document = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": source.name}, "data": data,
    }  # fmt: skip
    return json.dumps(document).encode()


def _claim(document: Document) -> PlannedVolume:
    """Sizes, classes and access modes mean nothing for a directory."""
    fields = document.fields
    fields.ignore("", "spec")
    fields.end()
    annotations = document.annotations
    if annotations.get(_DRIVER, "local") != "local":
        fields.wrong(
            f"volume '{document.name}' wants driver '{annotations[_DRIVER]}'; pod has 'local'",
            "metadata",
        )
    ids = []
    for key in (_UID, _GID):
        text = annotations.get(key, "")
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            fields.wrong(f"annotation '{key}' is '{text}', which is no id", "metadata")
        ids.append(int(text) if text else None)
    options = {
        option: annotations[key] for key, option in _VOLUME_OPTIONS.items() if key in annotations
    }
    return PlannedVolume(document.name, document.labels, options, *ids)
