"""Copy what an image has at some place into the empty file system that will cover it."""

from __future__ import annotations

import os
import stat


def copy_tree(source_fd: int, target_fd: int) -> None:
    """Copy everything in the directory `source_fd` into `target_fd`: owners, modes, times; symbolic links as they are.

    Both are directory descriptors of the caller. Device files and sockets stay behind.
    """
    for name in os.listdir(source_fd):
        status = os.lstat(name, dir_fd=source_fd)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            _copy_directory(source_fd, target_fd, name)
        elif kind == stat.S_IFREG:
            _copy_file(source_fd, target_fd, name)
        elif kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=source_fd), name, dir_fd=target_fd)
        elif kind == stat.S_IFIFO:
            os.mkfifo(name, 0o600, dir_fd=target_fd)
        else:
            continue
        os.chown(name, status.st_uid, status.st_gid, dir_fd=target_fd, follow_symlinks=False)
        if kind != stat.S_IFLNK:
            # After chown, which clears the set-id bits.
            os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target_fd)
        os.utime(
            name,
            ns=(status.st_atime_ns, status.st_mtime_ns),
            dir_fd=target_fd,
            follow_symlinks=False,
        )
    status = os.fstat(source_fd)
    os.fchown(target_fd, status.st_uid, status.st_gid)


_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _copy_directory(source_fd: int, target_fd: int, name: str) -> None:
    os.mkdir(name, 0o700, dir_fd=target_fd)
    source = os.open(name, _DIRECTORY, dir_fd=source_fd)
    try:
        target = os.open(name, _DIRECTORY, dir_fd=target_fd)
        try:
            copy_tree(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _copy_file(source_fd: int, target_fd: int, name: str) -> None:
    flags = os.O_NOFOLLOW | os.O_CLOEXEC
    source = os.open(name, os.O_RDONLY | flags, dir_fd=source_fd)
    try:
        target = os.open(
            name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags, 0o600, dir_fd=target_fd
        )
        try:
            remaining = os.fstat(source).st_size
            while remaining > 0:
                sent = os.sendfile(target, source, None, min(remaining, 1 << 30))
                if sent == 0:
                    break
                remaining -= sent
        finally:
            os.close(target)
    finally:
        os.close(source)
