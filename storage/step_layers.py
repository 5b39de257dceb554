"""Layers of an image from the trees of a build's steps: an archive and a digest for each that has none yet."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import idmap
from storage import overlayfs
from storage.blobs import digest_of
from storage.commit import NewLayer
from storage.images import LAYER, Layer
from storage.layers import LayerRecord
from storage.steps import StepRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from storage.blobs import Partial
    from storage.store import Store


class Times(Record):
    """What times files get, in seconds since 1970: all of them `fixed`, or none a later one than `latest`."""

    fixed: int | None = None
    latest: int | None = None

    def __bool__(self) -> bool:
        return self.fixed is not None or self.latest is not None

    def of(self, mtime_ns: int) -> int:
        """The time of a file with this one, in nanoseconds."""
        if self.fixed is not None:
            return self.fixed * _SECOND
        if self.latest is not None:
            return min(mtime_ns, self.latest * _SECOND)
        return mtime_ns


_SECOND = 1_000_000_000


def layers_of(
    store: Store,
    lowers: Sequence[str],
    keys: Sequence[str],
    times: Times,
    hold: Callable[..., None],
) -> list[NewLayer]:
    """The layers of the steps `keys`, lowest first, on the directories `lowers`, topmost first.

    `hold` is called with the digest of the archive and the diff id of each before it is looked for or named; the steps
    are held already. Call with a single thread. Raises StepGone when one was removed by hand.
    """
    records = [_record(store, key) for key in keys]
    hold(
        *(
            it
            for record in records
            if record.diff_id
            for it in (record.layer_digest, record.diff_id)
        )
    )
    if times:
        return [
            _with_times(store, records, number, lowers, times, hold)
            for number in range(len(records))
        ]
    missing = [
        number
        for number, record in enumerate(records)
        if not record.diff_id or not store.blobs.has(record.layer_digest)
    ]
    if missing:
        trees = _trees(store, keys)
        jobs = [
            (trees[number], _below(records[number], [*reversed(trees[:number]), *lowers]))
            for number in missing
        ]
        marks = overlayfs.marks_here()

        def write(number: int, out_fd: int) -> int:
            from storage import tree

            top, below = jobs[number]
            return tree.write_layer(top, below, marks, out_fd, whole=False)

        with _Blobs(store, len(missing)) as blobs:
            counts = blobs.write(write)
            for number, blob, count in zip(missing, blobs.opened, counts, strict=True):
                blob.take_written()
                digest, size = blob.commit(hold), blob.offset
                layer = LayerRecord(digest, size, count)
                store.steps.become_layer(keys[number], layer, digest, size, LAYER)
        records = [_record(store, key) for key in keys]
    return [
        NewLayer(
            Layer(record.layer_digest, record.layer_size, record.layer_type),
            record.diff_id,
            record.layer_size,
        )
        for record in records
    ]


def squashed(
    store: Store,
    trees: Sequence[str],
    below: Sequence[str],
    times: Times,
    hold: Callable[..., None],
) -> NewLayer:
    """One layer of how the tree that the directories `trees` make, topmost first, differs from that of `below`."""
    marks = overlayfs.marks_here()

    def write(_: int, out_fd: int) -> int:
        from storage import tree

        above = [os.path.realpath(path) for path in trees]
        return tree.write_difference(above, below, marks, out_fd, time_of=times.of)

    return _unpacked(store, write, hold)


def _with_times(
    store: Store,
    records: Sequence[StepRecord],
    number: int,
    lowers: Sequence[str],
    times: Times,
    hold: Callable[..., None],
) -> NewLayer:
    """The layer of one step with other times than its tree has; it is a tree of its own, and remembered."""
    record = records[number]
    text = f"{record.key} {record.created_ns} {times.fixed} {times.latest}"
    key = digest_of(f"times {text}".encode()).partition(":")[2]
    known = store.steps.find(key)
    if known is not None and store.blobs.has(known.layer_digest):
        hold(known.layer_digest, known.diff_id)
        if store.layers.has(known.diff_id) and store.blobs.has(known.layer_digest):
            layer = Layer(known.layer_digest, known.layer_size, known.layer_type)
            return NewLayer(layer, known.diff_id, known.layer_size)
    trees = _trees(store, [it.key for it in records[: number + 1]])
    marks = overlayfs.marks_here()

    def write(_: int, out_fd: int) -> int:
        from storage import tree

        below = _below(record, [*reversed(trees[:-1]), *lowers])
        return tree.write_layer(trees[-1], below, marks, out_fd, whole=False, time_of=times.of)

    made = _unpacked(store, write, hold)
    store.steps.remove(key)
    store.steps.keep(
        StepRecord(
            key=key,
            created_ns=record.created_ns,
            text=record.text,
            diff_id=made.diff_id,
            layer_digest=made.layer.digest,
            layer_size=made.layer.size,
            layer_type=made.layer.media_type,
        )
    )
    return made


def _below(record: StepRecord, lowers: list[str]) -> list[str]:
    """What the archive of a step is made with regard to: one that is linked says all that it has."""
    return [] if record.is_linked else lowers


def _trees(store: Store, keys: Sequence[str]) -> list[str]:
    """Where the trees of steps really are: of one that has become a layer, the step has a link to it."""
    return [os.path.realpath(store.steps.tree(key)) for key in keys]


def _unpacked(
    store: Store, write: Callable[[int, int], int], hold: Callable[..., None]
) -> NewLayer:
    """A layer whose archive `write` writes, unpacked as one from elsewhere is."""
    with _Blobs(store, 1) as blobs:
        blobs.write(write)
        blob = blobs.opened[0]
        blob.take_written()
        digest, size = blob.commit(hold), blob.offset
    if not store.layers.has(digest):
        fd = store.blobs.open(digest)
        try:
            job = store.layers.unpack(fd, diff_id=digest)
        finally:
            os.close(fd)
        store.layers.finish([job])
    return NewLayer(Layer(digest, size, LAYER), digest, size)


class _Blobs:
    """New blobs that a child inside the id map writes."""

    def __init__(self, store: Store, count: int) -> None:
        self._new = [store.blobs.new() for _ in range(count)]
        self.opened: list[Partial] = []

    def __enter__(self) -> _Blobs:
        try:
            for blob in self._new:
                self.opened.append(blob.__enter__())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for blob in self.opened:
            blob.__exit__()

    def write(self, write: Callable[[int, int], int]) -> list[int]:
        """Call `write` with the number and the descriptor of each; its results."""
        numbered = [(number, blob.fd) for number, blob in enumerate(self.opened)]

        def work() -> list[int]:
            return [write(number, fd) for number, fd in numbered]

        counts: list[int] = idmap.run_inside(
            work, what="write a layer", keep={fd for _, fd in numbered}, namespaces=0
        )
        return counts


def _record(store: Store, key: str) -> StepRecord:
    record = store.steps.find(key)
    if record is None:
        raise StepGone(key)
    return record


class StepGone(PodError):
    """The result of a step is not here any more."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the result of a step ('{key[:12]}') was removed while the build went on",
            hint="run the build again",
        )
