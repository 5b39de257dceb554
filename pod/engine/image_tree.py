"""Image tree: the layers of an image, and what is built upon them."""

from __future__ import annotations

from pod.base.records import Record
from pod.engine import images

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from storage.images import ImageRecord


class Node(Record):
    """A layer upon those below it. `id` is the one that podman gives it; `names` are of images that end with it."""

    id: str
    size: int
    names: tuple[str, ...]
    children: tuple[Node, ...] = ()


def layers(engine: Engine, text: str) -> tuple[ImageRecord, list[Node]]:
    """The image, and its layers from the bottom up. Raises ImageNotFound, AmbiguousId."""
    image = images.find_named(engine, text)
    tops = _tops(engine)
    found = [
        Node(layer_id, _size(engine, image, at), _names(tops.get(layer_id, ())))
        for at, layer_id in enumerate(layer_ids(image))
    ]
    return image, found


def dependents(engine: Engine, text: str) -> tuple[ImageRecord, Node | None]:
    """The image, and its uppermost layer with all that other images have put upon it. Raises as `layers`."""
    image = images.find_named(engine, text)
    own = layer_ids(image)
    if not own:
        return image, None
    below: dict[str, dict[str, None]] = {}
    places = {own[-1]: (image, len(own) - 1)}
    for other in engine.store.images.list():
        ids = layer_ids(other)
        if ids[: len(own)] != own:
            continue
        for at in range(len(own), len(ids)):
            below.setdefault(ids[at - 1], {})[ids[at]] = None
            places[ids[at]] = (other, at)
    tops = _tops(engine)
    made: dict[str, Node] = {}
    # From the top down to the image: an image may have hundreds of layers, too many to call oneself for each.
    for layer_id, (other, at) in sorted(places.items(), key=lambda item: -item[1][1]):
        children = tuple(made[child] for child in below.get(layer_id, ()))
        names = _names(tops.get(layer_id, ()))
        made[layer_id] = Node(layer_id, _size(engine, other, at), names, children)
    return image, made[own[-1]]


def layer_ids(image: ImageRecord) -> list[str]:
    """An id for each layer, which depends on those below it, as containers/storage makes them."""
    import hashlib  # heavy

    found: list[str] = []
    for diff_id in image.diff_ids:
        digits = diff_id.partition(":")[2]
        if found:
            digits = hashlib.sha256(f"{found[-1]}+{digits}".encode()).hexdigest()
        found.append(digits)
    return found


def _tops(engine: Engine) -> dict[str, list[ImageRecord]]:
    """Layer id -> the images that end with it."""
    found: dict[str, list[ImageRecord]] = {}
    for image in engine.store.images.list():
        ids = layer_ids(image)
        if ids:
            found.setdefault(ids[-1], []).append(image)
    return found


def _names(found: list[ImageRecord] | tuple[()]) -> tuple[str, ...]:
    return tuple(name for image in found for name in image.names if "@" not in name)


def _size(engine: Engine, image: ImageRecord, at: int) -> int:
    """Bytes of the layer's unpacked archive; of its blob when it is not unpacked."""
    diff_id = image.diff_ids[at]
    known = engine.store.layers
    return known.record(diff_id).size if known.has(diff_id) else image.layers[at].size
