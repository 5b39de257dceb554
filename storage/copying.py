"""Copy a tree with everything that belongs to it: owners, modes, times, attributes, hard links, holes.

Runs as root of the id map. The target is empty and nobody else writes to it.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from storage.overlayfs import OWNER_XATTR, is_own_xattr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from storage.merged import Item, MergedDirectory

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 30
_REVISION_3 = 0x03000000  # struct vfs_ns_cap_data, linux/capability.h


def copy_merged(source: MergedDirectory, target_fd: int) -> None:
    """Copy the tree `source` into the empty directory `target_fd`, which also gets its attributes."""
    raise_limits()
    os.umask(0)
    _Copier(target_fd).copy(source, target_fd, "")


def raise_limits() -> None:
    """Let this process walk deep trees: a descriptor for each level and layer, a Python frame for each level."""
    import resource
    import sys

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sys.setrecursionlimit(20_000)  # a path has at most 2048 components


class _Copier:
    def __init__(self, root_fd: int) -> None:
        self._root_fd = root_fd
        self._links: dict[tuple[int, int], str] = {}

    def copy(self, source: MergedDirectory, target_fd: int, prefix: str) -> None:
        for name, item in source.items().items():
            path = f"{prefix}{name}"
            if item.is_directory:
                os.mkdir(name, 0o700, dir_fd=target_fd)
                child_fd = os.open(name, _DIRECTORY, dir_fd=target_fd)
                try:
                    with source.enter(item) as inner:
                        self.copy(inner, child_fd, f"{path}/")
                finally:
                    os.close(child_fd)
            else:
                self._copy_item(item, target_fd, path)
        # Last, since making entries has changed the time of the directory.
        _set_attributes(source.attributes_fd, target_fd, source.status)

    def _copy_item(self, item: Item, target_fd: int, path: str) -> None:
        status = item.status
        identity = (status.st_dev, status.st_ino)
        if status.st_nlink > 1 and identity in self._links:
            first = self._links[identity]
            os.link(
                first,
                item.name,
                src_dir_fd=self._root_fd,
                dst_dir_fd=target_fd,
                follow_symlinks=False,
            )
            return
        if stat.S_ISREG(status.st_mode):
            _copy_file(item, target_fd)
        elif not _copy_special(item, target_fd):
            return
        if status.st_nlink > 1:
            self._links[identity] = path


def _copy_file(item: Item, target_fd: int) -> None:
    source = os.open(item.name, _READ, dir_fd=item.fd)
    try:
        target = os.open(item.name, _NEW, 0o600, dir_fd=target_fd)
        try:
            copy_data(source, target, item.status)
            _set_attributes(source, target, item.status)
        finally:
            os.close(target)
    finally:
        os.close(source)


def copy_data(source: int, target: int, status: os.stat_result) -> None:
    """The content of a file, sharing its blocks where the file system can, and leaving its holes out."""
    end = status.st_size
    sparse = status.st_blocks * 512 < end
    at = 0
    while at < end:
        stop = end
        if sparse:
            try:
                at = os.lseek(source, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break  # a hole up to the end
                raise
            stop = os.lseek(source, at, os.SEEK_HOLE)
        while at < stop:
            copied = _copy_range(source, target, at, min(stop - at, _CHUNK))
            if copied == 0:
                return  # it became shorter meanwhile
            at += copied
    if sparse:
        os.ftruncate(target, end)


def _copy_range(source: int, target: int, offset: int, count: int) -> int:
    try:
        return os.copy_file_range(source, target, count, offset, offset)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}:
            raise
    return os.pwrite(target, os.pread(source, min(count, 1 << 20), offset), offset)


def _copy_special(item: Item, target_fd: int) -> bool:
    """Symbolic links, pipes, and devices where we may make them; sockets stay behind. Whether anything was made."""
    name, status = item.name, item.status
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=item.fd), name, dir_fd=target_fd)
    elif stat.S_ISFIFO(status.st_mode):
        os.mkfifo(name, 0o600, dir_fd=target_fd)
    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        try:
            os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target_fd)
        except PermissionError:
            return False
    else:
        return False
    os.chown(name, status.st_uid, status.st_gid, dir_fd=target_fd, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target_fd)
    times = (status.st_atime_ns, status.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=target_fd, follow_symlinks=False)
    return True


def _set_attributes(source: int, target: int, status: os.stat_result) -> None:
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))  # after chown, which clears set-id bits
    for name, value in image_xattrs(source).items():
        _set_xattr(target, name, value)
    owner = _own_owner(source)
    if owner is not None:
        _set_xattr(target, OWNER_XATTR, owner)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def image_xattrs(file: int | str) -> dict[str, bytes]:
    """The attributes that belong to a file as an image sees it, by name: not overlay's, not ours.

    Capabilities for the root of another user namespace, which this one cannot read, are none here. A descriptor, or a
    path of which no link is followed at the end.
    """
    follow = isinstance(file, int)
    try:
        names = os.listxattr(file, follow_symlinks=follow)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    found = {}
    for name in sorted(names):
        ours = is_own_xattr(os.fsencode(name))
        if name == "security.capability" or (name.startswith("user.") and not ours):
            try:
                found[name] = os.getxattr(file, name, follow_symlinks=follow)
            except OSError as error:
                if error.errno not in {errno.EOVERFLOW, errno.ENODATA}:
                    raise
    return found


def without_root_id(capability: bytes) -> bytes:
    """File capabilities of revision 2: the kernel adds the id of this namespace's root itself, capabilities(7)."""
    if len(capability) == 24 and capability[3] == 3:
        return capability[:3] + b"\x02" + capability[4:20]
    return capability


def for_root(capability: bytes, root: int) -> bytes:
    """File capabilities for a namespace whose root is the id `root` here; capabilities(7), "versioning"."""
    if root == 0 or len(capability) != 20:
        return capability
    (magic,) = struct.unpack_from("<I", capability)
    return struct.pack("<I", _REVISION_3 | magic & 1) + capability[4:] + struct.pack("<I", root)


def _own_owner(fd: int) -> bytes | None:
    try:
        return os.getxattr(fd, OWNER_XATTR)
    except OSError as error:
        if error.errno in {errno.ENODATA, errno.ENOTSUP}:
            return None
        raise


def _set_xattr(fd: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(fd, name, value)
    except OSError as error:
        if error.errno not in {errno.ENOTSUP, errno.EPERM}:
            raise
