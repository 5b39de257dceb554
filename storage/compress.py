"""Compression on all processors: gzip and zstd streams, the same bytes for the same content on every machine.

With gzip, blocks are compressed beside one another, each with the end of the one before as its dictionary, and written
as one member, RFC 1952; with zstd, the library does something like that by itself.
"""

from __future__ import annotations

import os
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    Pack = Callable[[Iterable[bytes], int], Iterator[bytes]]

_BLOCK_BYTES = 512 << 10
_DICTIONARY_BYTES = 32 << 10  # as far as deflate looks back
_MOST_WORKERS = 8  # each has a few blocks in memory
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # no name, no time


def gzip(chunks: Iterable[bytes], level: int) -> Iterator[bytes]:
    """`chunks`, compressed. Threads work as long as the iterator is not at its end or closed."""
    from collections import deque
    from concurrent.futures import ThreadPoolExecutor  # heavy

    yield _HEADER
    workers = min(os.cpu_count() or 1, _MOST_WORKERS)
    checksum, size, dictionary = 0, 0, b""
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future[bytes]] = deque()
        for block in _blocks(chunks):
            checksum, size = zlib.crc32(block, checksum), size + len(block)
            waiting.append(pool.submit(_deflate, block, dictionary, level))
            dictionary = block[-_DICTIONARY_BYTES:]
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
    last = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS).flush()
    yield last + checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


def zstd(chunks: Iterable[bytes], level: int) -> Iterator[bytes]:
    """`chunks`, compressed. Raises ZstdError for a level that the library does not have."""
    import zstandard  # heavy

    # With at least one thread, the result does not depend on their number.
    packer = zstandard.ZstdCompressor(
        level=level, write_checksum=True, threads=min(os.cpu_count() or 1, _MOST_WORKERS)
    ).compressobj()
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of one size, so that the result does not depend on how they come."""
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        while len(pending) >= _BLOCK_BYTES:
            yield bytes(pending[:_BLOCK_BYTES])
            del pending[:_BLOCK_BYTES]
    if pending:
        yield bytes(pending)


def _deflate(block: bytes, dictionary: bytes, level: int) -> bytes:
    """A block that ends at a byte boundary and not the stream."""
    if dictionary:
        packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=dictionary)
    else:
        packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH)
