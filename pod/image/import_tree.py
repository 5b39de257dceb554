"""Importing: the tar archive of a root file system becomes an image of one layer.

The archive comes from a file, a pipe or a URL, compressed or not, and is read once: it is stored and unpacked at the
same time.
"""

from __future__ import annotations

import json
import os
import time

from pod.base.errors import PodError
from pod.base.records import Record
from pod.image import failures, media_types
from pod.image.change import apply_changes
from pod.image.connections import Settings
from pod.image.http import HttpClient, failure_of
from pod.image.install import DiskFull, UnpackerGone, write_to_child
from pod.image.names import name_for_new_image
from pod.image.platform import Platform, host_platform
from storage import compression
from storage.images import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from pod.image.progress import Progress
    from pod.spec.reference import Reference
    from storage.blobs import Partial
    from storage.collect import Hold
    from storage.store import Store
    from storage.unpackjob import UnpackJob

_READ_BYTES = 256 << 10
_LAYER_TYPES = {
    "": media_types.OCI_LAYER,
    "gzip": media_types.OCI_LAYER_GZIP,
    "zstd": media_types.OCI_LAYER_ZSTD,
}
_COMMENT = "imported from a root file system"


class CannotImport(PodError):
    """The source cannot be read."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(f"'{source}' cannot be imported: {why}")


class ImportedImage(Record):
    """`id` is the digest of the configuration; `name` is empty when none was given."""

    id: str
    name: str


def import_tree(
    store: Store,
    source: str | int,
    progress: Progress,
    *,
    reference: Reference | None = None,
    changes: Sequence[str] = (),
    message: str = "",
    platform: Platform | None = None,
    settings: Settings | None = None,
) -> ImportedImage:
    """Make an image of an archive. Call with a single thread.

    `source` is a path, an http or https URL, or the number of an open file or pipe, which stays open. `changes` are
    Dockerfile instructions, see change.py. Raises CannotImport, InvalidValue, LayerError, RegistryError, DiskFull.
    """
    config = apply_changes({}, changes)
    name = str(name_for_new_image(reference)) if reference is not None else None
    with store.hold() as hold:
        layer, diff_id = _store_layer(store, source, progress, settings, hold)
        document = _document(config, diff_id, message, platform or host_platform(), _shown(source))
        progress.message("Writing manifest to image destination")
        image = store.images.add_image(
            json.dumps(document, separators=(",", ":")).encode(), [layer], name=name
        )
    return ImportedImage(image.id, name or "")


def _store_layer(
    store: Store, source: str | int, progress: Progress, settings: Settings | None, hold: Hold
) -> tuple[Layer, str]:
    """The archive as a blob and as a tree; the blob's place in a manifest, and the diff id."""
    job = store.layers.unpack()
    try:
        with _Opened(source, settings, progress) as read, store.blobs.new() as partial:
            kind = _receive(read, partial, job, store, progress)
            record = job.finish(hold.add)  # first: of a bad archive no blob is kept
            digest = partial.commit(hold.add)
            size = partial.offset
    except BaseException:
        job.abort()
        raise
    return Layer(digest, size, _LAYER_TYPES[kind]), record.diff_id


def _receive(
    read: Callable[[], bytes], partial: Partial, job: UnpackJob, store: Store, progress: Progress
) -> str:
    """Copy the archive into the blob and the child; how the blob is compressed."""
    start = b""
    while len(start) < compression.ENOUGH and (chunk := read()):
        start += chunk
    kind = compression.detect(start)
    waiting = [start]

    def again() -> bytes:
        return waiting.pop() if waiting else read()

    chunks: Iterator[bytes] = iter(again, b"")
    if kind not in _LAYER_TYPES:  # what no engine stores: bzip2, xz
        chunks, kind = compression.decompress(kind, again), ""
    shown = "archive"
    progress.begin()
    progress.layer_known(shown, 0)
    try:
        for chunk in chunks:
            partial.write(chunk)
            write_to_child(job.sink_fd, memoryview(chunk))
            progress.advance(shown, len(chunk))
        progress.done(shown)
    except UnpackerGone:
        job.finish()  # raises what made the child leave
        raise AssertionError("a child that left its pipe has succeeded") from None
    except OSError as error:
        raise DiskFull(store.root, error.strerror or str(error)) from error
    finally:
        progress.finish()
    return kind


class _Opened:
    """The source as a context: something that gives the next bytes."""

    def __init__(self, source: str | int, settings: Settings | None, progress: Progress) -> None:
        self._source = source
        self._settings = settings
        self._progress = progress
        self._close: Callable[[], None] = lambda: None

    def __enter__(self) -> Callable[[], bytes]:
        if isinstance(self._source, int):
            return self._reader(self._source)
        if self._source.startswith(("http://", "https://")):
            return self._download(self._source)
        try:
            fd = os.open(self._source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise CannotImport(self._source, error.strerror or "it cannot be opened") from error
        self._close = lambda: os.close(fd)
        return self._reader(fd)

    def __exit__(self, *_: object) -> None:
        self._close()

    def _reader(self, fd: int) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                return os.read(fd, _READ_BYTES)
            except OSError as error:
                raise CannotImport(_shown(self._source), error.strerror or str(error)) from error

        return read

    def _download(self, url: str) -> Callable[[], bytes]:
        http = HttpClient(self._settings, self._progress.message)
        response = http.request("GET", url, {}, insecure=url.startswith("http://"))
        self._close = response.close
        if response.status == 404:
            raise CannotImport(url, "there is nothing at this address")
        if response.status != 200:
            raise failure_of(response, url)
        length = response.header("Content-Length")
        chunks = response.chunks()
        received = 0

        def read() -> bytes:
            nonlocal received
            chunk = next(chunks, b"")
            received += len(chunk)
            if not chunk and length.isdecimal() and received < int(length):
                raise failures.ConnectionLost(url, "the archive ended too early")
            return chunk

        return read


def _shown(source: str | int) -> str:
    return "standard input" if isinstance(source, int) else source


def _document(
    config: dict[str, Any], diff_id: str, message: str, platform: Platform, source: str
) -> dict[str, Any]:
    """The configuration of the image, which has its id."""
    now = time.time_ns()
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1_000_000_000))
    created = f"{second}.{now % 1_000_000_000:09d}Z"
    document: dict[str, Any] = {
        "created": created,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [
            {"created": created, "created_by": f"import {source}", "comment": message or _COMMENT}
        ],
    }
    if platform.variant:
        document["variant"] = platform.variant
    return document
