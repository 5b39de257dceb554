"""Blobs: content by digest, as it came, in an OCI image layout (`blobs/sha256/HEX`).

A blob that has its name is complete, verified and durable. Downloads grow in `partial/` under a lock; what an
interrupted one leaves is where the next one begins.
"""

from __future__ import annotations

import os
import sys

from pod.base import faults, files
from pod.base.errors import PodError
from pod.spec.digest import algorithm_of, hex_of, is_digest
from storage.directories import make_private, names
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

READ_BYTES = 1 << 20
_BEHIND_BYTES = 2 << 20
"""When so much more of a blob has come, the disk begins with it: the sync at the end finds little left to do."""
_NAMELESS = "new-"
MOST_IN_MEMORY = (
    4 << 20
)  # manifests and configurations; the limit that registries have for manifests


class BlobNotFound(PodError):
    """A blob that something refers to is not in the store."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"blob '{digest}' is not in the store", hint="pod system check")
        self.digest = digest


class DigestMismatch(PodError):
    """Content is not what its digest says. `resumed`: its beginning came from an earlier attempt, so try once more."""

    def __init__(self, digest: str, actual: str, *, resumed: bool = False) -> None:
        super().__init__(
            f"the content of blob '{digest}' is damaged: its digest is {actual}",
            hint="get the image again; when that does not help, its source is damaged",
        )
        self.digest = digest
        self.actual = actual
        self.resumed = resumed


class WrongSize(PodError):
    """Content is longer or shorter than was announced."""

    def __init__(self, digest: str, expected: int, actual: int) -> None:
        words = "only " if actual < expected else "at least "
        super().__init__(
            f"blob '{digest}' should have {expected} bytes and has {words}{actual}",
            hint="get the image again; when that does not help, its source is damaged",
        )
        self.digest = digest


class BlobStore:
    """The blobs below `images`, an OCI image layout that need not exist yet."""

    def __init__(self, images: str) -> None:
        self._blobs = f"{images}/blobs"
        self._partial = f"{images}/partial"

    def path(self, digest: str) -> str:
        """Where the blob is, or would be."""
        return f"{self._blobs}/{algorithm_of(digest)}/{hex_of(digest)}"

    def has(self, digest: str) -> bool:
        """Whether the blob is here, complete."""
        return os.path.exists(self.path(digest))

    def is_begun(self, digest: str) -> bool:
        """Whether a part of the blob has come, or comes now."""
        return os.path.exists(f"{self._partial}/{hex_of(digest)}")

    def size(self, digest: str) -> int:
        """In bytes. Raises BlobNotFound."""
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            raise BlobNotFound(digest) from None

    def open(self, digest: str) -> int:
        """A descriptor for reading, which the caller closes. Raises BlobNotFound."""
        try:
            return os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise BlobNotFound(digest) from None

    def read(self, digest: str, limit: int = MOST_IN_MEMORY) -> bytes:
        """The whole of a small blob, verified. Raises BlobNotFound, DigestMismatch, WrongSize beyond `limit` bytes."""
        fd = self.open(digest)
        try:
            size = os.fstat(fd).st_size
            if size > limit:
                raise WrongSize(digest, limit, size)
            data = os.read(fd, size + 1)
        finally:
            os.close(fd)
        actual = digest_of(data, algorithm_of(digest))
        if actual != digest:
            raise DigestMismatch(digest, actual)
        return data

    def read_trusted(self, digest: str) -> bytes:
        """As read, without hashing: for what is shown, not acted upon."""
        fd = self.open(digest)
        try:
            return os.read(fd, MOST_IN_MEMORY)
        finally:
            os.close(fd)

    def add(self, data: bytes) -> str:
        """Store `data`; its sha256 digest."""
        digest = digest_of(data)
        if not self.has(digest):
            path = self.path(digest)
            make_private(os.path.dirname(path))
            files.write_atomic(path, data, mode=0o644)
        return digest

    def remove(self, digest: str) -> int:
        """Remove the blob, under the image store's lock; the number of bytes set free, 0 when it was not there."""
        path = self.path(digest)
        try:
            size = os.stat(path).st_size
            os.unlink(path)
        except FileNotFoundError:
            return 0
        return size

    def list(self) -> Iterator[str]:
        """The digests of all blobs, in no order."""
        for algorithm in names(self._blobs):
            for name in names(f"{self._blobs}/{algorithm}"):
                if is_digest(digest := f"{algorithm}:{name}"):
                    yield digest

    def receive(self, digest: str, size: int, on_wait: Callable[[], None] | None = None) -> Partial:
        """A place for the content of `digest`, which has `size` bytes; see Partial.

        `on_wait` is called before it waits for another command that receives the same.
        """
        return Partial(self, f"{self._partial}/{hex_of(digest)}", digest, size, on_wait)

    def new(self) -> Partial:
        """A place for content whose digest and size are known only at its end; nothing of it is kept on failure."""
        name = f"{_NAMELESS}{os.urandom(8).hex()}"
        return Partial(self, f"{self._partial}/{name}", None, None)

    def partials(self) -> Iterator[tuple[str, int]]:
        """The paths and sizes of interrupted downloads, and of those that run now."""
        for name in names(self._partial):
            path = f"{self._partial}/{name}"
            try:
                yield path, os.stat(path).st_size
            except FileNotFoundError:
                continue

    def sweep(self, *, older_than_seconds: float = 0, only_nameless: bool = False) -> int:
        """Remove interrupted downloads that nobody works on and that were last written so long ago; bytes set free.

        `only_nameless`: those whose digest was not known, so that nobody can go on with them.
        """
        import time  # heavy

        freed = 0
        for path, _ in self.partials():
            if only_nameless and not os.path.basename(path).startswith(_NAMELESS):
                continue
            lock = FileLock(path)
            if not lock.try_acquire():
                continue
            try:
                status = os.fstat(lock.fd)
                old = time.time() - status.st_mtime >= older_than_seconds
                if old:
                    os.unlink(path)
                    freed += status.st_size
            finally:
                lock.release()
        return freed


class Partial:
    """A blob that arrives, as a context manager; entering waits for whoever receives the same blob already.

        with blobs.receive(digest, size) as partial:
            if not partial.already_here:
                ...continue at partial.offset: partial.write(chunk)...
                partial.commit()

    Leaving without commit keeps the bytes for the next attempt. One thread at a time.
    """

    def __init__(
        self,
        store: BlobStore,
        path: str,
        digest: str | None,
        size: int | None,
        on_wait: Callable[[], None] | None = None,
    ) -> None:
        self.digest = digest
        self.size = size
        self.offset = 0
        """How many bytes are here: those of an interrupted attempt at first, growing with `write`."""
        self.already_here = False
        """The blob is complete, there is nothing to do. It can become so while we wait for our turn."""
        self._store = store
        self._on_wait = on_wait
        self._lock = FileLock(path)
        self._hash: Any = None
        self._resumed = 0
        self._on_disk = 0

    def __enter__(self) -> Partial:
        import hashlib  # heavy

        if self.digest is not None and self._store.has(self.digest):
            self.already_here = True
            return self
        if self._on_wait is None or not self._lock.try_acquire():
            if self._on_wait is not None:
                self._on_wait()
            self._lock.acquire()
        try:
            if self.digest is not None and self._store.has(self.digest):
                os.unlink(self._lock.path)
                self._lock.release()
                self.already_here = True
                return self
            self._hash = hashlib.new(algorithm_of(self.digest) if self.digest else "sha256")
            self._resume()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock.fd < 0:
            return
        if self.digest is None or self.offset == 0:
            os.unlink(self._lock.path)  # nothing that another attempt could use
        self._lock.release()

    @property
    def fd(self) -> int:
        """The file itself, open for reading and writing; to read what an earlier attempt left, use os.pread."""
        return self._lock.fd

    def write(self, chunk: bytes | memoryview) -> None:
        """Append and hash. Raises WrongSize, before anything is written, when it would be more than announced."""
        end = self.offset + len(chunk)
        if self.size is not None and end > self.size:
            raise WrongSize(self.digest or "", self.size, end)
        self._hash.update(chunk)
        view = memoryview(chunk)
        while view:
            written = os.pwrite(self._lock.fd, view, self.offset)
            self.offset += written
            view = view[written:]
        if self.offset - self._on_disk >= _BEHIND_BYTES:
            self._begin_to_sync()

    def _begin_to_sync(self) -> None:
        from pod.linux import syscalls  # heavy

        count, self._on_disk = self.offset - self._on_disk, self.offset
        try:
            syscalls.sync_file_range(
                self._lock.fd, self.offset - count, count, syscalls.SYNC_FILE_RANGE_WRITE
            )
        except OSError:
            pass  # fsync says what matters

    def take_written(self) -> None:
        """Hash what another process has written to `fd`, from its beginning; instead of `write`."""
        self.offset = 0
        self._hash = _fresh(self._hash)
        self._resume()

    def restart(self) -> None:
        """Drop all bytes: the server could not continue where we were."""
        os.ftruncate(self._lock.fd, 0)
        self.offset = self._resumed = self._on_disk = 0
        self._hash = _fresh(self._hash)

    def commit(self, hold: Callable[[str], None] | None = None) -> str:
        """Verify size and digest, make the blob durable and give it its name; the digest.

        `hold` is called with the digest of one that nobody could hold before, since it was not known: from the moment
        that it has its name, whoever collects would see a blob that nothing needs.

        Raises WrongSize when bytes are missing (what is here stays), DigestMismatch (what is here is deleted).
        """
        if self.size is not None and self.offset != self.size:
            raise WrongSize(self.digest or "", self.size, self.offset)
        actual = f"{self._hash.name}:{self._hash.hexdigest()}"
        if self.digest is not None and actual != self.digest:
            os.unlink(self._lock.path)
            self._lock.release()
            raise DigestMismatch(self.digest, actual, resumed=self._resumed > 0)
        if hold is not None:
            hold(actual)
        path = self._store.path(actual)
        make_private(os.path.dirname(path))
        os.fchmod(self._lock.fd, 0o644)
        os.fsync(self._lock.fd)
        faults.step("blob: complete")
        os.rename(self._lock.path, path)
        files.sync_directory(os.path.dirname(path))
        faults.step("blob: named")
        self._lock.release()
        self.digest, self.already_here = actual, True
        return actual

    def _resume(self) -> None:
        """Hash what an earlier attempt left, so that the digest can be continued."""
        have = os.fstat(self._lock.fd).st_size
        if self.size is not None and have > self.size:
            os.ftruncate(self._lock.fd, 0)
            return
        while chunk := os.pread(self._lock.fd, READ_BYTES, self.offset):
            self._hash.update(chunk)
            self.offset += len(chunk)
        self._resumed = self._on_disk = self.offset


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of bytes in memory."""
    if algorithm == "sha256":
        return f"sha256:{small_sha256(data).hexdigest()}"
    import hashlib  # heavy

    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def digest_of_part(fd: int, offset: int, size: int, algorithm: str = "sha256") -> str:
    """The digest of `size` bytes of an open file, or of what it has of them."""
    import hashlib  # heavy

    running, end = hashlib.new(algorithm), offset + size
    while offset < end and (chunk := os.pread(fd, min(READ_BYTES, end - offset), offset)):
        running.update(chunk)
        offset += len(chunk)
    return f"{algorithm}:{running.hexdigest()}"


def small_sha256(data: bytes = b"") -> Any:
    """SHA-256 from the interpreter itself, for less than a megabyte: loading OpenSSL, which is quicker, costs 3 ms.

    The module has another name from Python 3.12 on, and Fedora leaves it out.
    """
    try:
        module: Any = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256")
    except ImportError:
        import hashlib as module  # heavy
    return module.sha256(data)


def _fresh(used: Any) -> Any:
    import hashlib  # heavy

    return hashlib.new(used.name)
