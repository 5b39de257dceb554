"""The document about an image, as podman's and docker's `image inspect` have it; and its history."""

from __future__ import annotations

from pod.base.records import Record
from pod.engine import images
from pod.engine.image_list import repository_digests
from pod.engine.lists import NotHere
from pod.engine.lists import find as find_list
from pod.image.manifest import NoSuchPlatform
from pod.spec.reference import InvalidReference
from storage.images import ImageNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.engine.context import Engine
    from storage.images import ImageRecord
    from storage.lists import ListRecord

NOT_FOUND = (ImageNotFound, InvalidReference)

# The fields that a template may name though the image does not have them.
_CONFIG = {
    "User": "",
    "ExposedPorts": None,
    "Env": None,
    "Entrypoint": None,
    "Cmd": None,
    "Volumes": None,
    "WorkingDir": "",
    "Labels": None,
    "StopSignal": "",
}


class Step(Record):
    """One line of the history. `size_bytes` is that of the unpacked layer, 0 for a step that made none."""

    created: str
    created_by: str
    comment: str
    size_bytes: int


def document(
    engine: Engine, text: str, *, size: bool = False, platform: str = ""
) -> dict[str, Any]:
    """Everything about the image `text`. `size` is for containers alone. Raises ImageNotFound, AmbiguousId.

    Of a list, the image for this machine; when it has none, or not here, what there is to say about the list.
    With `platform`, the image for that, or NoSuchPlatform, NotHere, NotForPlatform.
    """
    try:
        image = images.find_for(engine, text, platform)
    except (NoSuchPlatform, NotHere):
        if platform:
            raise
        return _about_list(find_list(engine, text))
    same = [other for other in engine.store.images.list() if other.id == image.id]
    if not any(image.names == other.names for other in same):
        same.insert(0, image)  # it is in a list, whose names are meant
    config = image.config()
    execution = config.get("config") or {}
    names = [name for other in same for name in other.names]
    history = [entry for entry in config.get("history") or [] if isinstance(entry, dict)]
    found = {
        "Id": image.id.partition(":")[2],
        "Digest": image.digest,
        "RepoTags": [name for name in names if "@" not in name],
        "RepoDigests": list(
            dict.fromkeys(digest for other in same for digest in repository_digests(other))
        ),
        "Parent": "",
        "Comment": _last(history, "comment"),
        "Created": image.created,
        "Config": {**_CONFIG, **execution},
        "Version": config.get("docker_version") or "",
        "Author": config.get("author") or _last(history, "author"),
        "Architecture": image.architecture,
        "Variant": image.variant,
        "Os": image.os,
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {"Name": engine.rootfs.driver().name, "Data": _graph_data(engine, image)},
        "RootFS": {"Type": "layers", "Layers": list(image.diff_ids)},
        "Labels": execution.get("Labels") or None,
        "Annotations": image.manifest().get("annotations") or {},
        "ManifestType": image.media_type,
        "User": execution.get("User") or "",
        "History": history,
        "NamesHistory": list(reversed(names)),
    }
    if execution.get("Healthcheck"):
        found["Healthcheck"] = execution["Healthcheck"]
    return found


def _about_list(record: ListRecord) -> dict[str, Any]:
    return {
        "Id": record.id.partition(":")[2],
        "Digest": record.digest,
        "RepoTags": [name for name in record.names if "@" not in name],
        "RepoDigests": repository_digests(record),
        "Created": record.created,
        "Size": record.size,
        "VirtualSize": record.size,
        "Annotations": record.document().get("annotations") or {},
        "ManifestType": record.media_type,
        "Manifests": record.members(),
        "NamesHistory": list(reversed(record.names)),
    }


def history(engine: Engine, text: str, platform: str = "") -> tuple[ImageRecord, Sequence[Step]]:
    """How an image came about, the last step first. Raises what images.find_for raises."""
    image = images.find_for(engine, text, platform)
    config = image.config()
    layers = [
        _unpacked_size(engine, diff_id, layer.size)
        for diff_id, layer in zip(image.diff_ids, image.layers, strict=True)
    ]
    steps = []
    for entry in config.get("history") or []:
        made_none = bool(entry.get("empty_layer")) or not layers
        steps.append(
            Step(
                entry.get("created") or image.created,
                entry.get("created_by") or "",
                entry.get("comment") or "",
                0 if made_none else layers.pop(0),
            )
        )
    # The history is optional; layers that it does not tell about are shown all the same.
    steps += [Step(image.created, "", "", size) for size in layers]
    return image, steps[::-1]


def _unpacked_size(engine: Engine, diff_id: str, otherwise: int) -> int:
    layers = engine.store.layers
    return layers.record(diff_id).size if layers.has(diff_id) else otherwise


def _last(history: Sequence[dict[str, Any]], field: str) -> str:
    return str(history[-1].get(field) or "") if history else ""


def _graph_data(engine: Engine, image: ImageRecord) -> dict[str, str]:
    """Where the layers are, the uppermost apart from the others."""
    paths = [engine.store.layers.path(diff_id) for diff_id in reversed(image.diff_ids)]
    data = {"UpperDir": paths[0]} if paths else {}
    if paths[1:]:
        data["LowerDir"] = ":".join(paths[1:])
    return data
