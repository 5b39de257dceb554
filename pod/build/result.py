"""The image that a stage has become: its layers, configuration and manifest."""

from __future__ import annotations

import json

from pod.build import asked, files, history, keys
from pod.image import manifest
from storage.steps import StepRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.build.options import BuildOptions
    from pod.build.state import StageState
    from storage.collect import Hold
    from storage.images import ImageRecord
    from storage.store import Store

_DOCKER = (manifest.DOCKER_MANIFEST, manifest.DOCKER_CONFIG)
_OCI = (manifest.OCI_MANIFEST, manifest.OCI_CONFIG)


def make_image(
    store: Store, state: StageState, options: BuildOptions, hold: Hold, names: tuple[str, ...]
) -> ImageRecord:
    """Store the image, with these names; nameless without any."""
    from storage.step_layers import layers_of

    base = state.files.replace(steps=())
    new = layers_of(store, files.lowers(store, base), state.files.steps, hold.add)
    state = asked.finished(state, options)
    document = asked.in_document(_document(state, [layer.diff_id for layer in new]), options)
    is_docker = options.format == "docker"
    wanted = _DOCKER_TYPES if is_docker else _OCI_TYPES
    layers = [
        layer.replace(media_type=wanted.get(layer.media_type, layer.media_type))
        for layer in (*state.files.layers, *(layer.layer for layer in new))
    ]
    data = json.dumps(document, separators=(",", ":")).encode()
    annotations = asked.of_manifest(state, history.annotations_of(state), options)
    image: ImageRecord | None = None
    for name in names or (None,):
        image = store.images.add_image(
            data,
            layers,
            name=name,
            annotations={} if is_docker else annotations,
            types=_DOCKER if is_docker else _OCI,
        )
    assert image is not None
    return image


_DOCKER_TYPES = {
    manifest.OCI_LAYER: manifest.DOCKER_LAYER,
    manifest.OCI_LAYER_GZIP: manifest.DOCKER_LAYER_GZIP,
}
_OCI_TYPES = {docker: oci for oci, docker in _DOCKER_TYPES.items()}


def _document(state: StageState, diff_ids: list[str]) -> dict[str, Any]:
    """The configuration of the image."""
    config = {key: value for key, value in state.config.items() if value and key[0] != "_"}
    document: dict[str, Any] = {
        "created": state.created,
        "architecture": state.architecture,
        "os": state.os,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [*state.files.diff_ids, *diff_ids]},
        "history": state.history,
    }
    if state.variant:
        document["variant"] = state.variant
    if state.author:
        document["author"] = state.author
    return document


def created_of(store: Store, state: StageState, now_ns: int) -> int:
    """When an image came about that has no new layer: the time of the first build that has made it."""
    text = json.dumps([state.config, state.files.key, [it["created_by"] for it in state.history]])
    key = keys.of("image", {"config": keys.digest(text)})
    record = store.steps.keep(StepRecord(key=key, created_ns=now_ns, text="image"))
    return record.created_ns
