"""What was changed on layers under any storage driver, as a tree in the form that layers have.

The native overlay leaves that form by itself. fuse-overlayfs has marks of its own, and the driver "copy" a whole tree.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.drivers.table import Driver
    from storage.overlayfs import Marks

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def rewrite(
    driver: Driver, directory: str, lowers: Sequence[str], marks: Marks, target: str
) -> None:
    """Make of what the driver has in the container directory `directory` a tree at `target`, an empty directory.

    `lowers` are those of the driver's `create`, `marks` those of layers. Call as root of the id map; the umask is 0
    afterwards. A file beside `target` is written meanwhile.
    """
    from storage import tar, tree  # heavy
    from storage.unpack import Unpacker

    os.umask(0)
    archive = os.open(f"{target}.tar", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.unlink(f"{target}.tar")
        tree.write_layer(
            driver.changes(directory), lowers, driver.marks(), archive, whole=driver.is_whole
        )
        os.lseek(archive, 0, os.SEEK_SET)
        target_fd = os.open(target, _DIRECTORY)
        try:
            unpacker = Unpacker(target_fd, marks)
            unpacker.unpack(tar.TarReader(lambda: os.read(archive, 1 << 18)))
            os.fchown(target_fd, *unpacker.root_owner)
            os.fchmod(target_fd, unpacker.root_mode)
            if unpacker.root_mtime_ns is not None:
                os.utime(target_fd, ns=(unpacker.root_mtime_ns, unpacker.root_mtime_ns))
        finally:
            os.close(target_fd)
    finally:
        os.close(archive)
