"""A layer that differs little from one that is here: only what differs is fetched.

For layers with a table of contents (TOC), zstd:chunked and eStargz. The blob is put together from ranges of blobs that
are in the store, from files of unpacked layers where compressing them gives the same bytes (storage/recompress.py), and
from ranges of the registry's, and must have its digest like any other; so the store has the blob as it
came, and everything else (unpacking, the diff id, push, save) is as ever. When the digest is wrong, the blob is fetched
whole: the same file can be compressed to other bytes of the same length.
"""

from __future__ import annotations

import os
import threading

from pod.base import log
from pod.base.errors import PodError
from pod.image import failures
from pod.image.parts import nameless_file
from pod.image.registry import MOST_REQUESTS
from storage import contents
from storage.recompress import make_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pod.image.install import Transfer, WantedLayer
    from pod.image.progress import Progress
    from pod.image.registry import Registry
    from storage.contents import Contents, Piece, ReadAt
    from storage.store import Store

LEAST_BYTES = 256 << 10
"""Of a blob; below, asking for the TOC costs more than it saves."""
_LEAST_SAVED = 4  # one part in so many
_MOST_BLOBS = 20
_MOST_USELESS = 4
"""So many tables of contents are read at most, and so many in a row that give nothing."""
_SMALL_GAP = 4 << 10
"""Ranges that lie so close are fetched as one: the head of a part of an answer is not free either."""
_MOST_RANGES = 1000
"""Of a blob. An image that was made anew, with new times in all headers, would have two for each file."""
_MOST_TREES = 20
_READ_BYTES = 1 << 20


class Assembly:
    """Puts the blobs of one image together; see above. `annotations` are those of its layers, by digest.

    Images of `repository`, a full name without a tag, are looked at first. Used by several threads at once.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        annotations: Mapping[str, Mapping[str, str]],
        repository: str,
        progress: Progress,
    ) -> None:
        self._store = store
        self._registry = registry
        self._annotations = annotations
        self._repository = repository
        self._progress = progress
        self._tried: set[str] = set()
        self._planning = threading.Lock()  # a TOC takes memory, so one at a time

    def fetch(self, layer: WantedLayer, transfer: Transfer) -> bool:
        """Write the blob to `transfer`, from its offset on; whether it is all there.

        When it is not, it must be fetched as usual. It is tried once for each blob: what has another digest than it
        should have is not tried again. Raises failures.Cancelled, and what `transfer` raises.
        """
        annotations = self._annotations.get(layer.digest, {})
        if layer.digest in self._tried:
            return False
        self._tried.add(layer.digest)
        try:
            with self._planning:
                plan = find_plan(
                    self._store,
                    layer,
                    annotations,
                    self._repository,
                    lambda offset, size: self._read(layer, offset, size),
                )
        except failures.RegistryError as error:
            return self._give_up(layer, error)
        if plan is None:
            return False
        try:
            transfer.doubt()
            self._write(layer, plan, transfer)
        except (failures.RegistryError, contents.InvalidContents) as error:
            return self._give_up(layer, error)
        finally:
            plan.close()
        self._progress.message(
            f"Fetched {plan.fetched_bytes // 1000} of {layer.size // 1000} kB of blob {layer.digest}, "
            "the others are in the store"
        )
        return True

    def _give_up(self, layer: WantedLayer, error: PodError) -> bool:
        if self._registry.http.is_cancelled:
            raise failures.Cancelled from error
        log.info(f"blob '{layer.digest}' is fetched as a whole: {error.message}")
        return False

    def _write(self, layer: WantedLayer, plan: Plan, transfer: Transfer) -> None:
        """All of the plan; a broken connection is replaced as long as there is progress."""
        http, furthest, attempt = self._registry.http, transfer.offset, 0
        while transfer.offset < layer.size:
            stream = self._registry.blob_ranges(layer.digest, plan.ranges(transfer.offset))
            try:
                plan.write(transfer.offset, _Buffer(stream).take, transfer.write)
            except failures.RangesRefused:
                # Perhaps it gives them one by one. That may be too many, and then all is fetched.
                if not plan.reduce(transfer.offset, layer.size, MOST_REQUESTS):
                    raise
            except failures.RegistryError as error:
                if transfer.offset > furthest:
                    furthest, attempt = transfer.offset, 0
                attempt += 1
                if not error.transient or http.is_cancelled or attempt > http.settings.retries:
                    raise
                http.pause(attempt, error)
            finally:
                stream.close()

    def _read(self, layer: WantedLayer, offset: int, size: int) -> bytes:
        data = b"".join(self._registry.blob_ranges(layer.digest, [(offset, offset + size)]))
        if len(data) != size:
            raise contents.InvalidContents("the registry gives another amount than asked for")
        return data


class _Buffer:
    """Takes what a generator gives apart into pieces of the sizes that are needed."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def take(self, most: int) -> bytes:
        """At least one byte, at most so many."""
        chunk = self._left or next(self._chunks, b"")
        if not chunk:
            raise contents.InvalidContents("the registry gives less than was asked for")
        self._left = chunk[most:]
        return chunk[:most]


class Run:
    """Bytes `start` to `end` of the blob: from `offset` of the open file `fd` on, or from the registry (-1)."""

    __slots__ = ("end", "fd", "offset", "start")

    def __init__(self, start: int, end: int, fd: int, offset: int) -> None:
        self.start = start
        self.end = end
        self.fd = fd
        self.offset = offset


class Plan:
    """How to put a blob together. Close it: it has files open."""

    def __init__(self, runs: list[Run], end: int, tail: bytes, fds: Iterable[int]) -> None:
        self.runs = runs
        self.end = end
        self.tail = tail
        self._fds = tuple(fds)

    @property
    def fetched_bytes(self) -> int:
        """What comes from the registry, the TOC included."""
        return len(self.tail) + sum(run.end - run.start for run in self.runs if run.fd < 0)

    def reduce(self, offset: int, size: int, most: int) -> bool:
        """Fetch more in fewer ranges, `most` from `offset` on; False when there are no more, or nothing is saved."""
        done = [run for run in self.runs if run.end <= offset]
        left = self.runs[len(done) :]
        if sum(run.fd < 0 for run in left) <= most:
            return False
        self.runs = done + _with_few_ranges(left, most)
        return self.is_worthwhile(size)

    def is_worthwhile(self, size: int) -> bool:
        """Whether it saves enough of a blob of that size."""
        return self.fetched_bytes <= size - size // _LEAST_SAVED

    def ranges(self, offset: int) -> list[tuple[int, int]]:
        """What the registry must be asked for, from `offset` of the blob on."""
        return [
            (max(run.start, offset), run.end)
            for run in self.runs
            if run.fd < 0 and run.end > offset
        ]

    def write(
        self, offset: int, fetched: Callable[[int], bytes], sink: Callable[[bytes], None]
    ) -> None:
        """Everything from `offset` on to `sink`; `fetched` gives at most so many of the bytes of `ranges`, in order."""
        for run in self.runs:
            at = max(run.start, offset)
            while at < run.end:
                count = min(run.end - at, _READ_BYTES)
                if run.fd < 0:
                    chunk = fetched(count)
                else:
                    chunk = os.pread(run.fd, count, run.offset + at - run.start)
                    if not chunk:
                        raise contents.InvalidContents("a blob of the store became shorter")
                sink(chunk)
                at += len(chunk)
        sink(self.tail[max(0, offset - self.end) :])

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)


def find_plan(
    store: Store,
    layer: WantedLayer,
    annotations: Mapping[str, str],
    repository: str,
    read: ReadAt,
) -> Plan | None:
    """A plan for the blob of `layer`; None when there is nothing to gain. `read` fetches a range of it.

    Images of `repository`, a full name without a tag, are looked at first. Raises what `read` raises.
    """
    if layer.size < LEAST_BYTES or not contents.has_contents(annotations):
        return None
    here = _Candidates(store, layer, repository, annotations)
    if not here.blobs and not here.trees:
        return None
    try:
        there = contents.announced(annotations, layer.size, read)
        return None if there is None else _plan(store, layer, there, here)
    except contents.InvalidContents as error:
        log.info(f"layer '{layer.digest}' is fetched whole: {error.message}")
        return None


class _Candidates:
    """Where what a layer has may be: the repository's images come first, the most alike in size before others.

    `blobs` are the digests of blobs that may have a TOC of that format, `trees` the paths of unpacked layers.
    """

    def __init__(
        self,
        store: Store,
        layer: WantedLayer,
        repository: str,
        annotations: Mapping[str, str],
    ) -> None:
        ending = "gzip" if contents.ESTARGZ_DIGEST in annotations else "zstd"
        akin: dict[str, int] = {}
        others: dict[str, int] = {}
        diff_ids = [layer.diff_id]  # it may be here in another compression
        for image in reversed(store.images.list()):
            is_akin = any(name.startswith(f"{repository}:") for name in image.names)
            for known in image.layers:
                if known.media_type.endswith(ending) and known.size >= LEAST_BYTES:
                    (akin if is_akin else others)[known.digest] = abs(known.size - layer.size)
            if is_akin:
                diff_ids += image.diff_ids
        ordered = (*sorted(akin, key=lambda digest: akin[digest]), *others)
        self.blobs = list(dict.fromkeys(ordered))[:_MOST_BLOBS]
        self.trees: list[str] = []
        if ending == "zstd":
            wanted = [it for it in dict.fromkeys(diff_ids) if store.layers.has(it)]
            self.trees = [store.layers.path(diff_id) for diff_id in wanted[:_MOST_TREES]]


def _plan(
    store: Store, layer: WantedLayer, there: Contents, candidates: _Candidates
) -> Plan | None:
    pieces = there.pieces
    missing = {key: end - start for start, end, key, _ in pieces}
    here: dict[bytes, tuple[int, int, int]] = {}
    used: list[int] = []
    try:
        useless = 0
        for digest in candidates.blobs:
            found = _look_into(store, digest, missing, here, used)
            useless = 0 if found else useless + 1
            if useless == _MOST_USELESS or sum(missing.values()) < LEAST_BYTES // 4:
                break
        if sum(missing.values()) > LEAST_BYTES // 4 and candidates.trees:
            left = [piece for piece in pieces if piece[2] in missing]
            used.append(nameless_file(f"{store.root}/staging"))
            for key, (at, size) in make_frames(left, candidates.trees, used[-1]).items():
                here[key] = (used[-1], at, size)
        runs = _runs(pieces, here)
        plan = Plan(runs, there.end, there.tail, used)
        if not plan.is_worthwhile(layer.size):
            plan.close()
            return None
    except BaseException:
        for fd in used:
            os.close(fd)
        raise
    return plan


def _look_into(
    store: Store,
    digest: str,
    missing: dict[bytes, int],
    here: dict[bytes, tuple[int, int, int]],
    used: list[int],
) -> bool:
    """Move what the blob has from `missing` to `here`, and its descriptor to `used`; whether it had anything."""
    try:
        fd = store.blobs.open(digest)
    except PodError:
        return False
    found = False
    try:
        known = contents.inside(
            os.fstat(fd).st_size, lambda offset, size: os.pread(fd, size, offset)
        )
        for start, end, key, _ in known.pieces if known is not None else ():
            if missing.get(key) == end - start:
                del missing[key]
                here[key] = (fd, start, end - start)
                found = True
    except contents.InvalidContents as error:
        log.debug(f"blob '{digest}': {error.message}")
    finally:
        if found:
            used.append(fd)
        else:
            os.close(fd)
    return found


def _runs(pieces: Iterable[Piece], here: Mapping[bytes, tuple[int, int, int]]) -> list[Run]:
    """How to make the pieces, in order: those that lie together in one, and not too many to be fetched apart."""
    runs: list[Run] = []
    for start, end, key, _ in pieces:
        fd, offset, size = here.get(key, (-1, 0, 0))
        if size != end - start:
            fd = -1
        last = runs[-1] if runs else None
        together = last is not None and (fd < 0 or offset - last.offset == start - last.start)
        if last is not None and last.fd == fd and together:
            last.end = end
        else:
            runs.append(Run(start, end, fd, offset))
    return _with_few_ranges(_merged(runs, _SMALL_GAP), _MOST_RANGES)


def _with_few_ranges(runs: list[Run], most: int) -> list[Run]:
    gap = _SMALL_GAP
    while sum(run.fd < 0 for run in runs) > most:
        gap *= 2
        runs = _merged(runs, gap)
    return runs


def _merged(runs: list[Run], gap: int) -> list[Run]:
    """What is here, no longer than `gap`, and between two runs that are not, is fetched with them."""
    merged: list[Run] = []
    waiting: list[Run] = []  # of what is here, behind something that is not
    for run in runs:
        if run.fd >= 0:
            waiting.append(run)
        elif merged and merged[-1].fd < 0 and run.start - merged[-1].end <= gap:
            merged[-1].end = run.end
            waiting = []
        else:
            merged += [*waiting, run]
            waiting = []
    return merged + waiting
