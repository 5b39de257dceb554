"""Layers of an image from the trees of a build's steps: an archive and a digest for each that has none yet."""

from __future__ import annotations

from pod.linux import idmap
from storage import overlayfs
from storage.commit import NewLayer
from storage.images import LAYER, Layer
from storage.layers import LayerRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from storage.blobs import Partial
    from storage.steps import StepRecord
    from storage.store import Store


def layers_of(
    store: Store,
    lowers: Sequence[str],
    keys: Sequence[str],
    hold: Callable[[str, str], None],
) -> list[NewLayer]:
    """The layers of the steps `keys`, lowest first, on the directories `lowers`, topmost first.

    `hold` is called with the digest of the archive and the diff id of each before it is named. Call with a single
    thread. Raises StepGone when a step was pruned meanwhile.
    """
    records = [_record(store, key) for key in keys]
    missing = [
        number
        for number, record in enumerate(records)
        if not record.diff_id or not store.blobs.has(record.layer_digest)
    ]
    if missing:
        blobs = [store.blobs.new() for _ in missing]
        opened: list[Partial] = []
        try:
            opened += [blob.__enter__() for blob in blobs]
            counts = _write(store, lowers, keys, missing, opened)
            for number, blob, count in zip(missing, opened, counts, strict=True):
                blob.take_written()
                digest, size = blob.commit(), blob.offset
                hold(digest, digest)
                layer = LayerRecord(digest, size, count)
                store.steps.become_layer(keys[number], layer, digest, size, LAYER)
        finally:
            for blob in opened:
                blob.__exit__()
        records = [_record(store, key) for key in keys]
    return [
        NewLayer(
            Layer(record.layer_digest, record.layer_size, record.layer_type),
            record.diff_id,
            record.layer_size,
        )
        for record in records
    ]


def _record(store: Store, key: str) -> StepRecord:
    record = store.steps.find(key)
    if record is None:
        raise StepGone(key)
    return record


class StepGone(Exception):
    """The result of a step is not here any more."""


def _write(
    store: Store,
    lowers: Sequence[str],
    keys: Sequence[str],
    missing: Sequence[int],
    blobs: Sequence[Partial],
) -> list[int]:
    marks = overlayfs.marks_here()
    trees = [store.steps.tree(key) for key in keys]

    def work() -> list[int]:
        from storage import tree

        counts = []
        for number, blob in zip(missing, blobs, strict=True):
            below = [*reversed(trees[:number]), *lowers]
            counts.append(tree.write_layer(trees[number], below, marks, blob.fd, whole=False))
        return counts

    counts: list[int] = idmap.run_inside(
        work, what="write a layer", keep={blob.fd for blob in blobs}, namespaces=0
    )
    return counts
