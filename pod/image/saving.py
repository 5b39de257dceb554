"""What all formats of `save` share: what is saved, files that appear complete, layers without compression."""

from __future__ import annotations

import errno
import os
import stat

from pod.base import faults, plainjson
from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from storage import compression, stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from storage.images import ImageRecord
    from storage.store import Store

DOCKER_ARCHIVE, OCI_ARCHIVE = "docker-archive", "oci-archive"
OCI_DIR, DOCKER_DIR = "oci-dir", "docker-dir"
FORMATS = (DOCKER_ARCHIVE, OCI_ARCHIVE, OCI_DIR, DOCKER_DIR)


class SavedImage(Record):
    """What is to be saved: an image, and the full names that it shall have in the archive."""

    image: ImageRecord
    names: tuple[str, ...] = ()

    @property
    def tagged_names(self) -> tuple[str, ...]:
        """Without those that have a digest in place of a tag, which archives cannot have."""
        return tuple(name for name in self.names if "@" not in name)


class CannotSave(PodError):
    """The target cannot take the images."""

    def __init__(self, target: str, why: str) -> None:
        super().__init__(f"nothing can be saved to '{target}': {why}")


class OneImageOnly(UsageError):
    """A format for one image was asked to hold several."""

    def __init__(self, kind: str, count: int) -> None:
        super().__init__(
            f"the format '{kind}' takes one image, not {count}",
            hint=f"--format {DOCKER_ARCHIVE} --multi-image-archive",
        )


class DamagedBlob(PodError):
    """A blob of the store does not give the content that its record promises."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"blob '{digest}' in the store is damaged", hint="pull the image again")


def write_file(path: str, write: Callable[[int], None]) -> None:
    """As replace_file, but what is no file is written to and not replaced: /dev/stdout, a named pipe."""
    if not _is_special(path):
        replace_file(path, write)
        return
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        write(fd)
    finally:
        os.close(fd)


def _is_special(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    if stat.S_ISDIR(mode):
        raise CannotSave(path, "it is a directory")
    return not stat.S_ISREG(mode)


def replace_file(path: str, write: Callable[[int], None]) -> None:
    """Let `write` fill a new file, given by its descriptor, which then takes the place of `path`.

    Until then it has no name, where the file system knows such files, so that nothing is left of a killed command.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        fd, is_named = _new_file(temporary)
    except OSError as error:
        raise CannotSave(path, error.strerror or "it cannot be written") from error
    try:
        try:
            write(fd)
            faults.step("save: written")
            if not is_named:
                # With a directory descriptor, else link(2) is used, which does not follow the link; see open(2).
                os.link(f"/proc/self/fd/{fd}", temporary, src_dir_fd=fd, follow_symlinks=True)
                is_named = True
        finally:
            os.close(fd)
        os.rename(temporary, path)
        faults.step("save: named")
    except BaseException as error:
        if is_named:
            os.unlink(temporary)
        if not isinstance(error, OSError):
            raise
        raise CannotSave(path, error.strerror or "it cannot be written") from error


def _new_file(path: str) -> tuple[int, bool]:
    """A descriptor, and whether the file is at `path`; otherwise it has no name yet, and is in the same directory."""
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(os.path.dirname(path) or ".", flags | os.O_TMPFILE, 0o666), False
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}:
            raise
    return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666), True


def plain_chunks(store: Store, digest: str) -> Iterator[bytes]:
    """The blob of a layer without its compression. Raises BlobNotFound, DamagedBlob."""
    fd = store.blobs.open(digest)
    try:
        kind = compression.detect(os.pread(fd, compression.ENOUGH, 0))
        yield from compression.decompress(kind, stream.read_from(fd))
    except compression.InvalidStream as error:
        raise DamagedBlob(digest) from error
    finally:
        os.close(fd)


def to_json(value: Any) -> bytes:
    """A document, the same for the same value."""
    return plainjson.dumps(value).encode()
