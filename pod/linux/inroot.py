"""Open and create paths that cannot leave a root directory, whatever somebody has put into it.

A path is resolved as if the root were "/": leading slashes, ".." and the targets of symbolic links all stay inside,
and a link that the kernel makes up (/proc/PID/root) is never followed out. openat2(2) does it in one call (Linux 5.6);
where it is missing or a filter refuses it, the path is walked component by component.

Every descriptor that is returned is close-on-exec and belongs to the caller.
"""

from __future__ import annotations

import errno
import os
import stat

from pod.linux import syscalls

_RESOLVE = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS
_MOST_LINKS = 40  # as the kernel, path_resolution(7)
_RETRIES = 32  # a rename elsewhere makes openat2 give up with EAGAIN, openat2(2)
_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class _Kernel:
    has_openat2 = True


def open_path(root_fd: int, path: str) -> int:
    """An O_PATH descriptor of `path` below the directory `root_fd`; symbolic links are followed inside the root."""
    return open_at(root_fd, path, os.O_PATH)


def open_at(root_fd: int, path: str, flags: int, mode: int = 0) -> int:
    """open(2) below `root_fd`. Of O_CREAT, the last component may be made; with O_NOFOLLOW it is not followed."""
    if _Kernel.has_openat2:
        for _ in range(_RETRIES):
            try:
                return syscalls.openat2(root_fd, path, flags, _RESOLVE, mode)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    continue
                if error.errno not in {errno.ENOSYS, errno.EPERM}:
                    raise
                # EPERM comes from an old seccomp filter as well as from the file; the walk meets the latter again.
                _Kernel.has_openat2 = error.errno != errno.ENOSYS
                break
    return _Walk(root_fd, path).open(flags, mode)


def open_parent(root_fd: int, path: str) -> tuple[int, str]:
    """An O_PATH descriptor of the directory that has the last component of `path`, and that component.

    The last component itself is neither looked at nor followed. Raises OSError (EINVAL) for the root and for "..".
    """
    parent, _, name = path.rstrip("/").rpartition("/")
    if name in {"", ".", ".."}:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
    return open_at(root_fd, parent or ".", os.O_PATH | os.O_DIRECTORY), name


def make_directory(root_fd: int, path: str, mode: int = 0o755) -> int:
    """An O_PATH descriptor of the directory `path`, which is made together with its parents where it is missing.

    Where a symbolic link points to nothing, what it points to is made. Raises OSError (ENOTDIR) when there is something
    else. Owners are those of the caller; the umask applies.
    """
    try:
        return open_at(root_fd, path, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        pass
    made = _make_last(root_fd, path, mode, is_directory=True)
    if made is not None:
        return made
    return _Walk(root_fd, path, make=mode).open(os.O_PATH | os.O_DIRECTORY, 0)


def make_file(root_fd: int, path: str, mode: int = 0o644) -> int:
    """An O_PATH descriptor of `path`; an empty file, and its parents, are made where there is nothing at all."""
    try:
        return open_path(root_fd, path)
    except FileNotFoundError:
        pass
    if not path.endswith(("/", "/.")):
        made = _make_last(root_fd, path, mode, is_directory=False)
        if made is not None:
            return made
    return _Walk(root_fd, path, make=0o755).open(os.O_PATH, mode, make_file=True)


def _make_last(root_fd: int, path: str, mode: int, *, is_directory: bool) -> int | None:
    """Make the last component of `path` where its parent is there; None where it takes a walk to tell what to do."""
    try:
        parent_fd, name = open_parent(root_fd, path)
    except OSError:
        return None
    try:
        if is_directory:
            os.mkdir(name, mode, dir_fd=parent_fd)
        else:
            os.close(os.open(name, _CREATE, mode, dir_fd=parent_fd))
        fd = os.open(name, _STEP, dir_fd=parent_fd)
    except (FileExistsError, FileNotFoundError):
        return None  # a link that points to nothing; or somebody else is at work here
    finally:
        os.close(parent_fd)
    wanted = stat.S_IFDIR if is_directory else stat.S_IFREG
    if stat.S_IFMT(os.fstat(fd).st_mode) == wanted:
        return fd
    os.close(fd)  # it was exchanged meanwhile
    return None


class _Walk:
    """A path below a root, resolved by hand. With `make`, missing directories are created with that mode."""

    def __init__(self, root_fd: int, path: str, *, make: int | None = None) -> None:
        self._path = path
        self._make = make
        self._todo = _components(path)
        self._wants_directory = path.endswith(("/", "/."))
        self._links = 0
        # The directories from the root to where we are. ".." goes back to the one we came through, so that a directory
        # that is moved meanwhile cannot lead out of the root.
        self._trail = [os.open(".", _STEP | os.O_DIRECTORY, dir_fd=root_fd)]

    def open(self, flags: int, mode: int, *, make_file: bool = False) -> int:
        """Go to the last component and open it."""
        try:
            while self._todo:
                name = self._todo.pop()
                if name == "..":
                    if len(self._trail) > 1:
                        os.close(self._trail.pop())
                    continue
                last = not self._todo
                fd = self._step(name, flags, mode, last=last, make_file=make_file)
                if fd is not None and last:
                    return fd
                if fd is not None:
                    self._trail.append(fd)
            return os.open(".", flags & ~os.O_CREAT | os.O_CLOEXEC, dir_fd=self._trail[-1])
        finally:
            for fd in self._trail:
                os.close(fd)

    def _step(self, name: str, flags: int, mode: int, *, last: bool, make_file: bool) -> int | None:
        """Open one component; None when it was a symbolic link, whose target now stands in its place."""
        here = self._trail[-1]
        try:
            fd = os.open(name, _STEP, dir_fd=here)
        except FileNotFoundError:
            if last and make_file:
                os.close(os.open(name, _CREATE, mode, dir_fd=here))
            elif last and flags & os.O_CREAT:
                return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=here)
            elif self._make is not None:
                _make_one(name, self._make, here)
            else:
                raise self._error(errno.ENOENT) from None
            fd = os.open(name, _STEP, dir_fd=here)
        kind = stat.S_IFMT(os.fstat(fd).st_mode)
        if kind == stat.S_IFLNK and not (
            last and flags & os.O_NOFOLLOW and not self._wants_directory
        ):
            self._follow(fd)
            return None
        if not last:
            if kind != stat.S_IFDIR:
                os.close(fd)
                raise self._error(errno.ENOTDIR)
            return fd
        if kind != stat.S_IFDIR and (self._wants_directory or flags & os.O_DIRECTORY):
            os.close(fd)
            raise self._error(errno.ENOTDIR)
        if flags & os.O_PATH:
            return fd
        os.close(fd)
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=here)

    def _follow(self, fd: int) -> None:
        """Put the components of the link's target before those that are left; an absolute one starts at the root."""
        try:
            target = os.readlink("", dir_fd=fd)
        finally:
            os.close(fd)
        self._links += 1
        if self._links > _MOST_LINKS:
            raise self._error(errno.ELOOP)
        if target.startswith("/"):
            while len(self._trail) > 1:
                os.close(self._trail.pop())
        if not self._todo:
            self._wants_directory |= target.endswith(("/", "/."))
        self._todo.extend(_components(target))

    def _error(self, number: int) -> OSError:
        return OSError(number, os.strerror(number), self._path)


_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def _make_one(name: str, mode: int, directory_fd: int) -> None:
    try:
        os.mkdir(name, mode, dir_fd=directory_fd)
    except FileExistsError:
        pass  # somebody else was faster


def _components(path: str) -> list[str]:
    """The components of `path`, last first; empty ones and "." say nothing."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]
