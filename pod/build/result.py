"""The image that a stage has become: its layers, configuration and manifest."""

from __future__ import annotations

from pod.base import plainjson
from pod.build import asked, files, history, inline, keys
from pod.image import media_types
from storage.steps import StepRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.build.options import BuildOptions
    from pod.build.state import StageState
    from storage.collect import Hold
    from storage.commit import NewLayer
    from storage.images import ImageRecord
    from storage.store import Store

_DOCKER = (media_types.DOCKER_MANIFEST, media_types.DOCKER_CONFIG)
_OCI = (media_types.OCI_MANIFEST, media_types.OCI_CONFIG)


def make_image(
    store: Store, state: StageState, options: BuildOptions, hold: Hold, names: tuple[str, ...]
) -> ImageRecord:
    """Store the image, with these names; nameless without any."""
    base, new = _layers(store, state, options, hold)
    diff_ids = [*base.diff_ids, *(layer.diff_id for layer in new)]
    document = asked.in_document(_document(state, options, diff_ids), options)
    if inline.is_wanted(options) and options.layers and not options.squash:
        document[inline.STEPS] = inline.steps(store, state.files.steps, new)
    is_docker = options.format == "docker"
    wanted = _DOCKER_TYPES if is_docker else _OCI_TYPES
    layers = [
        layer.replace(media_type=wanted.get(layer.media_type, layer.media_type))
        for layer in (*base.layers, *(layer.layer for layer in new))
    ]
    data = plainjson.dumps(document).encode()
    own = history.annotations_of(state)
    annotations = {} if is_docker else asked.of_manifest(state, own, options)
    image: ImageRecord | None = None
    for name in names or (None,):
        image = store.images.add_image(
            data,
            layers,
            name=name,
            annotations=annotations,
            types=_DOCKER if is_docker else _OCI,
        )
    assert image is not None
    return image


def _layers(
    store: Store, state: StageState, options: BuildOptions, hold: Hold
) -> tuple[files.FileSystem, list[NewLayer]]:
    """The base image as far as its layers stay what they are, and the layers above it."""
    from storage import step_layers

    times = step_layers.Times(options.timestamp, options.source_date_epoch)
    base = state.files.replace(steps=())
    below = files.lowers(store, base)
    everything = options.squash == "all"
    if everything or ((options.squash or not options.layers) and state.files.steps):
        trees = files.lowers(store, state.files)
        layer = step_layers.squashed(store, trees, [] if everything else below, times, hold.add)
        return (files.FileSystem(base.key) if everything else base), [layer]
    return base, step_layers.layers_of(store, below, state.files.steps, times, hold.add)


_DOCKER_TYPES = {
    media_types.OCI_LAYER: media_types.DOCKER_LAYER,
    media_types.OCI_LAYER_GZIP: media_types.DOCKER_LAYER_GZIP,
}
_OCI_TYPES = {docker: oci for oci, docker in _DOCKER_TYPES.items()}


def _document(state: StageState, options: BuildOptions, diff_ids: list[str]) -> dict[str, Any]:
    """The configuration of the image."""
    entries = state.history
    if options.squash or not options.layers:
        entries = tuple(history.squashed(entries, everything=options.squash == "all"))
    document: dict[str, Any] = {
        "created": state.created,
        "architecture": state.architecture,
        "os": state.os,
        "config": {key: it for key, it in state.config.items() if it and not key.startswith("_")},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": history.plain(entries),
    }
    for key, value in (("variant", state.variant), ("author", state.author)):
        if value:
            document[key] = value
    return document


def created_of(store: Store, state: StageState, now_ns: int) -> int:
    """When an image came about that has no new layer: the time of the first build that has made it."""
    text = plainjson.dumps(
        [state.config, state.files.key, [it["created_by"] for it in state.history]]
    )
    key = keys.of("image", {"config": keys.digest(text)})
    record = store.steps.keep(StepRecord(key=key, created_ns=now_ns, text="image"))
    return record.created_ns
