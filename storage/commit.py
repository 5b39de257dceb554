"""A new layer from what a container has changed: its blob and its tree, made in one pass."""

from __future__ import annotations

import os

from pod.base.records import Record
from storage.images import LAYER, Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from storage.store import Store

_CHUNK = 1 << 20


class NewLayer(Record):
    """A layer that is in the store, for a new image's manifest and configuration."""

    layer: Layer
    diff_id: str
    size: int
    """Uncompressed bytes."""


def commit(
    store: Store,
    directory: str,
    *,
    exclude: Iterable[str] = (),
    compress: bool = False,
    whole: bool = False,
    hold: Callable[[str], None] | None = None,
) -> NewLayer:
    """See Store.commit."""
    import hashlib  # heavy
    import zlib

    read_fd, write_fd = os.pipe()
    try:
        start = store.rootfs.start_export if whole else store.rootfs.start_layer
        writer = start(directory, write_fd, exclude=exclude)
    finally:
        os.close(write_fd)
    digest = hashlib.sha256()
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16) if compress else None
    size = 0
    with store.blobs.new() as blob:
        job = store.layers.unpack()
        try:
            while chunk := os.read(read_fd, _CHUNK):
                size += len(chunk)
                digest.update(chunk)
                blob.write(packer.compress(chunk) if packer else chunk)
                _write_all(job.sink_fd, chunk)
            if packer:
                blob.write(packer.flush())
            writer.result()
        except BrokenPipeError:
            writer.kill()
            job.finish()  # says why it has given up
            raise
        except BaseException:
            job.abort()
            raise
        finally:
            os.close(read_fd)
        record = job.finish(hold)
        layer = Layer(blob.commit(hold), blob.offset, f"{LAYER}+gzip" if compress else LAYER)
    return NewLayer(layer, record.diff_id, size)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
