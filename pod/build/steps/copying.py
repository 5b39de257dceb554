"""COPY and ADD: files of the context, of a stage or of an image into the file system of the stage.

Runs as root of the id map, in a mount namespace of its own, where the stage is mounted as a container would see it.
Every path in it is resolved inside it, whatever links the image has; sources are opened below their root as well.
"""

from __future__ import annotations

import os
import stat

from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import inroot, mounts, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Source(Record):
    """One file or directory below the root of the sources. Of a directory the content is copied."""

    path: str
    name: str
    is_directory: bool


def copy(
    root: dict[str, Any],
    mount_point: str,
    source_root: str,
    sources: list[Source],
    target: str,
    *,
    owner: tuple[int, int] | None,
    mode: int | None,
) -> None:
    """Copy `sources` to the absolute path `target`, which is a directory when it ends with a slash."""
    mounts.mount_overlay(root["lowers"], root["upper"], root["work"], mount_point, root["options"])
    root_fd = os.open(mount_point, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    source_fd = os.open(source_root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.umask(0)
        _Copier(root_fd, source_fd, owner, mode).copy(sources, target)
    finally:
        os.close(source_fd)
        os.close(root_fd)
        syscalls.umount2(mount_point, syscalls.MNT_DETACH)


class _Copier:
    def __init__(
        self, root_fd: int, source_fd: int, owner: tuple[int, int] | None, mode: int | None
    ) -> None:
        self._root_fd = root_fd
        self._source_fd = source_fd
        self._owner = owner
        self._mode = mode

    def copy(self, sources: list[Source], target: str) -> None:
        into_directory = target.endswith("/") or len(sources) > 1
        for source in sources:
            if source.is_directory:
                top_fd = self._open_directory(target)
                from_fd = inroot.open_at(self._source_fd, source.path, _DIRECTORY & ~os.O_NOFOLLOW)
                try:
                    self._content(from_fd, top_fd)
                finally:
                    os.close(from_fd)
                    os.close(top_fd)
                continue
            from_fd, name = inroot.open_parent(self._source_fd, source.path)
            try:
                place, new_name = (target, source.name)
                if not into_directory and not self._is_directory(target):
                    place, new_name = os.path.split(target)
                top_fd = self._open_directory(place)
                try:
                    self._item(from_fd, name, top_fd, new_name)
                finally:
                    os.close(top_fd)
            finally:
                os.close(from_fd)

    def _is_directory(self, path: str) -> bool:
        try:
            fd = inroot.open_at(self._root_fd, path, os.O_PATH | os.O_DIRECTORY)
        except OSError:
            return False
        os.close(fd)
        return True

    def _open_directory(self, path: str) -> int:
        """A directory of the result, made where it is missing, with those above it."""
        path_fd = inroot.make_directory(self._root_fd, path)
        try:
            return os.open(mounts.fd_path(path_fd), _DIRECTORY & ~os.O_NOFOLLOW)
        finally:
            os.close(path_fd)

    def _content(self, from_fd: int, to_fd: int) -> None:
        for name in sorted(os.listdir(from_fd)):
            self._item(from_fd, name, to_fd, name)

    def _item(self, from_fd: int, name: str, to_fd: int, new_name: str) -> None:
        status = os.stat(name, dir_fd=from_fd, follow_symlinks=False)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFDIR:
            self._directory(from_fd, name, to_fd, new_name, status)
            return
        self._make_way(to_fd, new_name)
        if kind == stat.S_IFREG:
            self._file(from_fd, name, to_fd, new_name)
            return
        if kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=from_fd), new_name, dir_fd=to_fd)
        elif kind == stat.S_IFIFO:
            os.mkfifo(new_name, stat.S_IMODE(status.st_mode), dir_fd=to_fd)
        else:
            raise PodError(
                f"'{name}' is neither a file nor a directory nor a link, and cannot be copied"
            )
        self._attributes(new_name, to_fd, status)

    def _directory(
        self, from_fd: int, name: str, to_fd: int, new_name: str, status: os.stat_result
    ) -> None:
        try:
            os.mkdir(new_name, 0o700, dir_fd=to_fd)
        except FileExistsError:
            present = os.stat(new_name, dir_fd=to_fd, follow_symlinks=False)
            if not stat.S_ISDIR(present.st_mode):
                self._make_way(to_fd, new_name)
                os.mkdir(new_name, 0o700, dir_fd=to_fd)
        inner_from = os.open(name, _DIRECTORY, dir_fd=from_fd)
        try:
            inner_to = os.open(new_name, _DIRECTORY, dir_fd=to_fd)
            try:
                self._content(inner_from, inner_to)
            finally:
                os.close(inner_to)
        finally:
            os.close(inner_from)
        self._attributes(new_name, to_fd, status)

    def _file(self, from_fd: int, name: str, to_fd: int, new_name: str) -> None:
        source = os.open(name, _READ, dir_fd=from_fd)
        try:
            status = os.fstat(source)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            target = os.open(new_name, flags, 0o600, dir_fd=to_fd)
            try:
                left = status.st_size
                while left:
                    sent = os.sendfile(target, source, None, left)
                    if not sent:
                        break
                    left -= sent
                uid, gid = self._owner or (status.st_uid, status.st_gid)
                if (uid, gid) != (0, 0):
                    os.fchown(target, uid, gid)
                mode = stat.S_IMODE(status.st_mode) if self._mode is None else self._mode
                os.fchmod(target, mode)
                os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _attributes(self, name: str, to_fd: int, status: os.stat_result) -> None:
        uid, gid = self._owner or (status.st_uid, status.st_gid)
        os.chown(name, uid, gid, dir_fd=to_fd, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            mode = stat.S_IMODE(status.st_mode) if self._mode is None else self._mode
            os.chmod(name, mode, dir_fd=to_fd)
        times = (status.st_mtime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=to_fd, follow_symlinks=False)

    def _make_way(self, to_fd: int, name: str) -> None:
        try:
            os.unlink(name, dir_fd=to_fd)
        except FileNotFoundError:
            pass
        except IsADirectoryError as error:
            raise PodError(f"a file cannot be copied over the directory '{name}'") from error
