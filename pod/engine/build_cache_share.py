"""--cache-to and --cache-from: steps as layers of an image that says which they are, in a registry or a directory.

It is an ordinary image for whoever keeps it; that its configuration has a list of steps makes it a cache. Contents are
checked as those of every image are. What a record says is believed: whoever may write there may say what steps give.
"""

from __future__ import annotations

import json

from pod.base.errors import PodError
from pod.build import files, inline
from pod.engine import pull, push
from pod.engine.build_results import pull_options
from pod.image.platform import host_platform
from pod.spec import reference as references
from storage import step_layers
from storage.steps import StepRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.build.options import BuildOptions, CacheStore
    from pod.build.progress import Progress
    from pod.build.state import StageState
    from pod.engine.context import Engine
    from storage.collect import Hold
    from storage.images import Layer

_TAG = "pod-cache"


def fetch(engine: Engine, options: BuildOptions, progress: Progress, hold: Hold) -> None:
    """Take over the steps of all --cache-from. One that cannot be had is no reason not to build.

    A repository without a tag is that of a cache, or else of an image that is its own.
    """
    for place in options.cache_from:
        places = [place]
        if place.kind == "registry" and not _has_tag(place):
            places.append(place.replace(place=f"{place.place}:latest"))
        reasons = []
        for each in places:
            try:
                count = _fetch(engine, options, each, progress, hold)
            except PodError as error:
                reasons.append(error.message)
            else:
                progress.message(f"{count} steps are taken from the cache '{each.place}'")
                break
        else:
            progress.message(f"nothing is taken from the cache '{place.place}': {reasons[0]}")


def send(
    engine: Engine,
    options: BuildOptions,
    target: StageState,
    others: Iterable[StageState],
    progress: Progress,
    hold: Hold,
) -> None:
    """Write the steps to all --cache-to: those of the result, or with mode=max all of them."""
    for place in options.cache_to:
        if place.kind == "inline":
            continue  # the image has them
        states = [target, *others] if place.whole else [target]
        document, layers = _document(engine, states, hold)
        if not layers:
            progress.message(f"there are no steps for the cache '{place.place}'")
            continue
        progress.exporting(f"cache {place.place}")
        image = engine.store.images.add_image(json.dumps(document).encode(), layers)
        hold.add(image.digest, image.id)
        try:
            push.push(
                engine,
                image.digest,
                _location(place),
                pull_options(options, "", progress),
                push.PackOptions(),
            )
        finally:
            engine.store.images.remove_nameless(image.digest)


def _location(place: CacheStore) -> str:
    if place.kind == "local":
        return f"oci:{place.place}:{_TAG}"
    return f"docker://{place.place}{'' if _has_tag(place) else f':{_TAG}'}"


def _has_tag(place: CacheStore) -> bool:
    given = references.parse(place.place)
    return bool(given.tag or given.digest)


def _fetch(
    engine: Engine, options: BuildOptions, place: CacheStore, progress: Progress, hold: Hold
) -> int:
    store = engine.store
    before = {name: image for image in store.images.list() for name in image.names}
    pulled = pull.pull(engine, _location(place), pull_options(options, "", progress))
    image = store.images.lookup(pulled.digest)
    try:
        found = image.config().get(inline.STEPS)
        if not isinstance(found, list):
            raise PodError("it has no steps")
        count = 0
        for document in found:
            try:
                record = StepRecord.from_json(document)
            except (TypeError, AttributeError) as error:
                raise PodError("its steps cannot be read") from error
            if record.diff_id in image.diff_ids:
                hold.add(record.diff_id, f"step:{record.key}")
                count += store.steps.keep_layer(record)
        return count
    finally:
        for name in image.names:
            if name not in before:
                store.images.remove_name(name)
            elif (
                before[name].digest != image.digest
            ):  # an image that is its own cache, and older here
                store.images.set_name(name, before[name].descriptor())
        if image.digest not in {it.digest for it in before.values()}:
            store.images.remove_nameless(image.digest)


def _document(
    engine: Engine, states: Iterable[StageState], hold: Hold
) -> tuple[dict[str, object], list[Layer]]:
    store = engine.store
    records: dict[str, StepRecord] = {}
    layers: dict[str, Layer] = {}
    for state in states:
        below = files.lowers(store, state.files.replace(steps=()))
        keys = state.files.steps
        made = step_layers.layers_of(store, below, keys, step_layers.Times(), hold.add)
        for key, layer in zip(keys, made, strict=True):
            record = store.steps.find(key)
            if record is not None:
                records[key] = record.replace(boot="")
                layers[layer.diff_id] = layer.layer
    own = host_platform()
    document: dict[str, object] = {
        "architecture": own.architecture,
        "os": own.os,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": list(layers)},
        inline.STEPS: [record.to_json() for record in records.values()],
    }
    return document, list(layers.values())
