"""Layers into the store: blobs are received and unpacked at the same time, several at once.

The order of things is dictated by two rules: children are forked while there is one thread, and nothing is named before
all of it is verified and durable. So first a child for every layer that has to be unpacked, each waiting on a pipe;
then threads that receive blobs and feed the pipes; then, with one thread again, the trees take their places. A single
blob needs no thread of its own.
"""

from __future__ import annotations

import os
from _functools import partial
from _thread import allocate_lock

from pod.base.errors import PodError
from pod.base.records import Record
from pod.image.document import InvalidImage
from storage.blobs import DigestMismatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from pod.image.progress import Progress
    from storage.blobs import Partial
    from storage.store import Store
    from storage.unpackjob import UnpackJob

    class Source(Protocol):
        """Where blobs come from."""

        def span(self, layer: WantedLayer) -> tuple[int, int, int] | None:
            """Descriptor, offset and size, when the blob is a range of a file that a child can read by itself."""

        def fetch(self, layer: WantedLayer, transfer: Transfer) -> None:
            """Write the blob to `transfer`, from its offset on. Called in a thread."""

        def cancel(self) -> None:
            """Let every `fetch` end soon, with an error. Called from another thread."""


_PARALLEL = 3  # enough to fill two cores and to hide the latency of a registry
_READ_BYTES = 1 << 20
_JOIN_SECONDS = 5


class WantedLayer(Record):
    """A layer of an image: its blob, and what it unpacks to."""

    digest: str
    size: int
    diff_id: str


class DiskFull(PodError):
    """There is no space for a blob. What has come of it stays, so that another attempt continues there."""

    def __init__(self, directory: str, why: str) -> None:
        super().__init__(
            f"the image cannot be stored in '{directory}': {why}",
            hint="pod system prune makes space",
        )


class Transfer:
    """A blob on its way into the store, and into the child that unpacks it."""

    def __init__(
        self,
        partial: Partial,
        start: Callable[[], int],
        progress: Progress,
        digest: str,
    ) -> None:
        """`start` gives the end of the child's pipe, and starts the child if need be; -1 when there is none."""
        self._partial = partial
        self._start: Callable[[], int] | None = start
        self._sink_fd = -1
        self._progress = progress
        self._digest = digest
        self._fed = 0
        self._tolerant = partial.offset > 0
        self.is_doubtful = False
        self.unpack_later = False
        """The child has closed its end over what an earlier attempt left; what comes now may be right."""

    def doubt(self) -> None:
        """What comes now may be wrong; when the digest is, the blob is fetched once more."""
        self._tolerant = self.is_doubtful = True

    @property
    def offset(self) -> int:
        """Where to continue."""
        return self._partial.offset

    def begin(self) -> None:
        """Start the child. The first byte does it too; this is for a source that waits for that byte."""
        start, self._start = self._start, None
        if start is not None:
            self._sink_fd = start()

    @property
    def is_whole(self) -> bool:
        """Whether the child has had as much as the blob shall have."""
        return self._fed == self._partial.size

    def write(self, chunk: bytes | memoryview) -> None:
        start = self._partial.offset
        self._partial.write(chunk)
        self._progress.advance(self._digest, len(chunk))
        if start + len(chunk) > self._fed:
            # After a restart the child has had the beginning already, and does not need it twice.
            self.feed(memoryview(chunk)[self._fed - start :])

    def restart(self) -> None:
        """Begin the blob again, because the source cannot continue it."""
        self._progress.advance(self._digest, -self._partial.offset)
        self._partial.restart()

    def feed_beginning(self) -> None:
        """Give the child what an earlier attempt left in the partial blob."""
        self._progress.advance(self._digest, self._partial.offset)
        if self._partial.offset:
            self.begin()
        if self._sink_fd < 0:
            return
        while self._fed < self._partial.offset:
            count = min(_READ_BYTES, self._partial.offset - self._fed)
            self.feed(memoryview(os.pread(self._partial.fd, count, self._fed)))

    def feed(self, chunk: memoryview) -> None:
        """Give bytes to the child, if there is one."""
        self.begin()
        self._fed += len(chunk)
        if self._sink_fd < 0 or self.unpack_later:
            return
        try:
            write_to_child(self._sink_fd, chunk)
        except UnpackerGone:
            if not self._tolerant:
                raise
            self.unpack_later = True


class UnpackerGone(Exception):
    """The child closed its pipe. Its own error says why."""


class _Task:
    """One blob, and perhaps the job that unpacks it. `sink_fd` is the thread's to close.

    `start` starts that job later, when the blob is on its way.
    """

    def __init__(
        self,
        layer: WantedLayer,
        job: UnpackJob | None,
        start: Callable[[], UnpackJob] | None = None,
    ) -> None:
        self.layer = layer
        self.job: UnpackJob | None = None
        self.sink_fd = -1
        self._start = start
        self.unpack_later = False
        """The child was given bytes that turned out wrong; the blob is right now."""
        self.redundant = False
        """Another command has unpacked the layer meanwhile."""
        self._adopt(job)

    def begin(self) -> int:
        """Start the job if that has waited until now; `sink_fd`."""
        start, self._start = self._start, None
        if start is not None:
            self._adopt(start())
        return self.sink_fd

    def _adopt(self, job: UnpackJob | None) -> None:
        if job is not None:
            self.job = job
            self.sink_fd, job.sink_fd = job.sink_fd, -1


def install_layers(
    store: Store, layers: Iterable[WantedLayer], source: Source, progress: Progress
) -> None:
    """Bring blobs and trees of all `layers` into the store. Call with a single thread, while they are held.

    The trees are written to the disk when the hold ends. Raises what the source raises, LayerError, DigestMismatch,
    DiskFull; partial blobs stay for the next attempt.
    """
    tasks = _plan(store, layers, source, progress)
    if not tasks:
        return
    work = _Work(store, source, progress)
    try:
        progress.begin()
        try:
            for task in tasks:
                progress.layer_known(task.layer.digest, task.layer.size)
            work.run(tasks)
        finally:
            progress.finish()
        if work.failure is not None:
            _raise_cause(work)
        _finish(store, tasks)
    except BaseException:
        for task in tasks:
            if task.job is not None:
                task.job.abort()
        raise


def receive_blobs(
    store: Store, blobs: Iterable[tuple[str, int]], source: Source, progress: Progress
) -> None:
    """Bring blobs, by digest and size, into the store as they are. Call with a single thread, while they are held.

    Raises what the source raises, DigestMismatch, WrongSize, DiskFull; partial blobs stay for the next attempt.
    """
    tasks = []
    for digest, size in dict(blobs).items():
        if store.blobs.has(digest):
            progress.already_exists(digest)
        else:
            tasks.append(_Task(WantedLayer(digest, size, ""), None))
    if not tasks:
        return
    work = _Work(store, source, progress)
    progress.begin()
    try:
        for task in tasks:
            progress.layer_known(task.layer.digest, task.layer.size)
        work.run(sorted(tasks, key=lambda task: -task.layer.size))
    finally:
        progress.finish()
    if work.failure is not None:
        _raise_cause(work)


def _plan(
    store: Store, layers: Iterable[WantedLayer], source: Source, progress: Progress
) -> list[_Task]:
    """What is left to do, the largest first; with a child for every layer that must be unpacked."""
    wanted: dict[str, WantedLayer] = {}
    for layer in layers:
        if wanted.setdefault(layer.digest, layer).diff_id != layer.diff_id:
            raise InvalidImage("image", f"layer '{layer.digest}' stands for two different contents")
    left: list[tuple[WantedLayer, bool]] = []
    unpacked: set[str] = set()
    for layer in sorted(wanted.values(), key=lambda layer: -layer.size):
        has_blob, has_tree = store.blobs.has(layer.digest), store.layers.has(layer.diff_id)
        if has_blob and has_tree:
            progress.already_exists(layer.digest)
            continue
        left.append((layer, not has_tree and layer.diff_id not in unpacked))
        unpacked.add(layer.diff_id)
    if len(left) == 1 and left[0][1] and not store.blobs.has(left[0][0].digest):
        layer = left[0][0]
        if source.span(layer) is None:
            # The only one is received without threads, so its child is forked while the server makes up its answer.
            return [_Task(layer, None, partial(_start_job, store, layer, source, direct=False))]
    tasks: list[_Task] = []
    try:
        for layer, unpacks in left:
            direct = len(tasks) < _PARALLEL
            job = _start_job(store, layer, source, direct=direct) if unpacks else None
            tasks.append(_Task(layer, job))
    except BaseException:
        for task in tasks:
            if task.job is not None:
                task.job.abort()
        raise
    return tasks


def _start_job(store: Store, layer: WantedLayer, source: Source, *, direct: bool) -> UnpackJob:
    """A child for the layer. `direct`: it may read the file itself, at its own pace, if there is one."""
    if direct and store.blobs.has(layer.digest):
        fd = store.blobs.open(layer.digest)
        try:
            return store.layers.unpack(fd, diff_id=layer.diff_id)
        finally:
            os.close(fd)
    span = source.span(layer) if direct else None
    if span is not None:
        fd, offset, size = span
        return store.layers.unpack(fd, diff_id=layer.diff_id, offset=offset, size=size)
    return store.layers.unpack(diff_id=layer.diff_id)


class _Work:
    """The threads, and the first thing that went wrong in them."""

    def __init__(self, store: Store, source: Source, progress: Progress) -> None:
        self.store = store
        self.source = source
        self.progress = progress
        self.failure: tuple[_Task, BaseException] | None = None
        self._queue: list[_Task] = []
        self._lock = allocate_lock()

    def run(self, tasks: list[_Task]) -> None:
        """Receive the blobs of all tasks; returns when all threads have ended."""
        self._queue = list(reversed(tasks))
        if len(tasks) == 1:
            self._work()
            return
        import threading  # heavy

        threads = [
            threading.Thread(target=self._work, daemon=True)
            for _ in range(min(_PARALLEL, len(tasks)))
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:  # Ctrl-C
            with self._lock:
                self._queue.clear()
            self.source.cancel()
            for task in tasks:
                if task.job is not None:
                    task.job.abort()  # a thread that waits for the child gets EPIPE
            for thread in threads:
                thread.join(_JOIN_SECONDS)
            raise
        finally:
            for task in self._queue:
                _close_sink(task)

    def _work(self) -> None:
        while True:
            with self._lock:
                if self.failure is not None or not self._queue:
                    return
                task = self._queue.pop()
            try:
                self._receive(task)
            except BaseException as error:  # noqa: BLE001  the thread ends here, and the error goes to its owner
                with self._lock:
                    first = self.failure is None
                    if first:
                        self.failure = (task, error)
                if first:
                    self.source.cancel()
                return
            finally:
                _close_sink(task)

    def _receive(self, task: _Task) -> None:
        layer, transfer = task.layer, None

        def tell() -> None:
            self.progress.message(
                f"Another command is fetching blob {layer.digest}, waiting for it"
            )

        for attempt in range(2):
            try:
                with self.store.blobs.receive(layer.digest, layer.size, tell) as blob:
                    if blob.already_here:
                        self._feed_blob(task)
                    else:
                        transfer = Transfer(blob, task.begin, self.progress, layer.digest)
                        transfer.feed_beginning()
                        self.source.fetch(layer, transfer)
                        transfer.begin()
                        if transfer.is_whole:
                            _close_sink(task)  # the child ends while the blob is made durable
                        blob.commit()
                        task.unpack_later = task.unpack_later or transfer.unpack_later
                self.progress.done(layer.digest)
                return
            except DigestMismatch as error:
                guessed = transfer is not None and transfer.is_doubtful
                if attempt or not (error.resumed or guessed):
                    raise
                # What an earlier attempt left was bad, or what was put together. The child has eaten of it.
                self.progress.advance(layer.digest, -layer.size)
                task.unpack_later = task.job is not None
                _close_sink(task)

    def _feed_blob(self, task: _Task) -> None:
        """The blob is here, from an earlier pull or from one that runs beside us; give it to the child."""
        if self.store.layers.has(task.layer.diff_id):
            task.redundant = True
            return
        if task.begin() < 0:
            return
        fd = self.store.blobs.open(task.layer.digest)
        try:
            while chunk := os.read(fd, _READ_BYTES):
                write_to_child(task.sink_fd, memoryview(chunk))
        finally:
            os.close(fd)


def _finish(store: Store, tasks: list[_Task]) -> None:
    """All blobs are here: let the trees take their places."""
    jobs = []
    for task in tasks:
        if task.job is None:
            continue
        if task.redundant or task.unpack_later:
            task.job.abort()
        else:
            jobs.append(task.job)
    store.layers.finish(jobs, settle_later=True)
    again = []
    try:
        for task in tasks:
            if task.unpack_later and not store.layers.has(task.layer.diff_id):
                again.append(_start_job(store, task.layer, _NO_SOURCE, direct=True))
        store.layers.finish(again, settle_later=True)
    except BaseException:
        for job in again:
            job.abort()
        raise


def _raise_cause(work: _Work) -> None:
    """Raise what made the work fail: the child's own error, when a thread only found it gone."""
    assert work.failure is not None
    task, error = work.failure
    if isinstance(error, UnpackerGone) and task.job is not None:
        task.job.finish()
        raise AssertionError("a child that left its pipe has succeeded")
    if isinstance(error, OSError) and not isinstance(error, PodError):
        raise DiskFull(work.store.root, error.strerror or str(error)) from error
    raise error


def _close_sink(task: _Task) -> None:
    if task.sink_fd >= 0:
        os.close(task.sink_fd)
        task.sink_fd = -1


def write_to_child(fd: int, view: memoryview) -> None:
    """write(2) until the child has it all. Raises UnpackerGone when the child has closed its end."""
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        raise UnpackerGone from None


class _NoSource:
    """For layers whose blobs are here."""

    def span(self, layer: WantedLayer) -> None:
        return None

    def fetch(self, layer: WantedLayer, transfer: Transfer) -> None:
        raise AssertionError("the blob is here")

    def cancel(self) -> None:
        pass


_NO_SOURCE = _NoSource()
