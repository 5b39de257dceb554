"""Mounts: bind with restrictions, propagation, overlay, and the move into a new root.

Targets are descriptors or paths that the caller has resolved safely (`linux/inroot.py`); nothing here follows a path
that a container could have prepared. See mount(2), mount_setattr(2), pivot_root(2), mount_namespaces(7).
"""

from __future__ import annotations

import errno
import itertools
import os

from pod.linux import syscalls
from pod.linux.syscalls import (
    MNT_DETACH,
    MS_BIND,
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
    MS_REMOUNT,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PROPAGATION = {
    "private": MS_PRIVATE,
    "rprivate": MS_PRIVATE | MS_REC,
    "slave": MS_SLAVE,
    "rslave": MS_SLAVE | MS_REC,
    "shared": MS_SHARED,
    "rshared": MS_SHARED | MS_REC,
    "unbindable": MS_UNBINDABLE,
    "runbindable": MS_UNBINDABLE | MS_REC,
}

# statvfs(3) flags that are also mount flags. A user namespace may not clear those that it inherited.
_LOCKED = {
    os.ST_RDONLY: MS_RDONLY,
    os.ST_NOSUID: MS_NOSUID,
    os.ST_NODEV: MS_NODEV,
    os.ST_NOEXEC: MS_NOEXEC,
    os.ST_NOATIME: MS_NOATIME,
    os.ST_NODIRATIME: MS_NODIRATIME,
    os.ST_RELATIME: MS_RELATIME,
}
_ATTRIBUTES = {
    MS_RDONLY: syscalls.MOUNT_ATTR_RDONLY,
    MS_NOSUID: syscalls.MOUNT_ATTR_NOSUID,
    MS_NODEV: syscalls.MOUNT_ATTR_NODEV,
    MS_NOEXEC: syscalls.MOUNT_ATTR_NOEXEC,
}


def fd_path(fd: int) -> str:
    """A path that names the file behind an open descriptor, for calls that only take paths."""
    return f"/proc/self/fd/{fd}"


def bind(source: str, target: str, *, recursive: bool = True) -> None:
    """Make `source` visible at `target`. Without `recursive`, mounts below `source` stay behind.

    In a user namespace the kernel refuses a bind that would uncover what an inherited mount hides; then only a
    recursive one works (mount_namespaces(7), "locked together").
    """
    syscalls.mount(source, target, None, MS_BIND | (MS_REC if recursive else 0))


def attach(
    source_fd: int, target_fd: int, flags: int, flags_everywhere: int, propagation: str
) -> bool:
    """Bind what is open as `source_fd`, with all mounts below it, to the place that is open as `target_fd`.

    It is restricted as by `restrict`, the mounts below it to `flags_everywhere`, before anybody can reach it, and no
    path is followed, so that nothing depends on what others do at the target meanwhile. False when the kernel lacks one
    of the calls (the last is of Linux 5.12) or a seccomp filter refuses it; then nothing has happened.
    """
    try:
        tree_fd = syscalls.open_tree(
            source_fd,
            "",
            syscalls.OPEN_TREE_CLONE | syscalls.AT_RECURSIVE | syscalls.AT_EMPTY_PATH,
        )
    except OSError as error:
        if error.errno in _UNKNOWN_CALL:
            return False
        raise
    try:
        mode = PROPAGATION[propagation]
        changes = [
            (_attributes(flags_everywhere), 0, True),
            (_attributes(flags), 0, False),
            (0, mode & ~MS_REC, bool(mode & MS_REC)),
        ]
        if flags == flags_everywhere and mode & MS_REC:
            changes = [(_attributes(flags), mode & ~MS_REC, True)]  # all of it at once
        for attributes, change, recursive in changes:
            where = syscalls.AT_EMPTY_PATH | (syscalls.AT_RECURSIVE if recursive else 0)
            syscalls.mount_setattr(tree_fd, "", where, attributes, propagation=change)
        move(tree_fd, target_fd)
    except OSError as error:
        if error.errno in _UNKNOWN_CALL:
            return False
        raise
    finally:
        os.close(tree_fd)
    return True


def take(path: str) -> int:
    """A detached copy of the mount at `path`, symbolic links not followed, as a descriptor for `move`. Linux 5.2."""
    flags = syscalls.OPEN_TREE_CLONE | syscalls.OPEN_TREE_CLOEXEC | syscalls.AT_SYMLINK_NOFOLLOW
    return syscalls.open_tree(_AT_FDCWD, path, flags)


def move(tree_fd: int, target_fd: int) -> None:
    """Mount a detached tree on the place that is open as `target_fd`."""
    both_empty = syscalls.MOVE_MOUNT_F_EMPTY_PATH | syscalls.MOVE_MOUNT_T_EMPTY_PATH
    syscalls.move_mount(tree_fd, "", target_fd, "", both_empty)


_AT_FDCWD = -100

# EPERM: a seccomp filter that does not know the call.
_UNKNOWN_CALL = frozenset((errno.ENOSYS, errno.EPERM))


def _attributes(flags: int) -> int:
    return sum(attribute for flag, attribute in _ATTRIBUTES.items() if flags & flag)


def restrict(target: str, flags: int, *, recursive: bool = False) -> None:
    """Add MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC to the mount at `target`; with `recursive`, to those below too.

    Recursion needs mount_setattr(2) (Linux 5.12); an older kernel restricts the topmost mount alone.
    """
    attributes = _attributes(flags)
    if not attributes:
        return
    try:
        syscalls.mount_setattr(-1, target, syscalls.AT_RECURSIVE if recursive else 0, attributes)
    except OSError as error:
        if error.errno not in _UNKNOWN_CALL:
            raise
        remount_bind(target, flags)


def remount_bind(target: str, flags: int) -> None:
    """As restrict, with the older interface: the flags that the mount has are given again, or the kernel refuses."""
    present = os.statvfs(target).f_flag
    kept = sum(flag for bit, flag in _LOCKED.items() if present & bit)
    syscalls.mount(None, target, None, MS_BIND | MS_REMOUNT | kept | flags)


def set_propagation(target: str, mode: str) -> None:
    """`mode` is a key of PROPAGATION."""
    syscalls.mount(None, target, None, PROPAGATION[mode])


def pivot_into(new_root: str) -> None:
    """Make `new_root`, which is a mount point, the root of this mount namespace, and let go of the old root."""
    old_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(new_root)
        # Old and new root at one place, pivot_root(2) "NOTES": no directory for the old one is needed in the container.
        syscalls.pivot_root(".", ".")
        # "." still is the new root, for all calls but umount2(2); only the old one becomes a slave, so that the unmount
        # cannot reach the host.
        os.fchdir(old_fd)
        syscalls.mount(None, ".", None, MS_SLAVE | MS_REC)
        syscalls.umount2(".", MNT_DETACH)
        os.chdir("/")
    finally:
        os.close(old_fd)


_PAGE = 4096  # mount(2) passes on at most one page of options, its end included
_ODD = frozenset("\\:,")
_MOST_LOWERS = 500  # OVL_MAX_STACK of fs/overlayfs


def mount_overlay(
    lowers: Iterable[str], upper: str, work: str, target: str, options: Iterable[str] = ()
) -> None:
    """Mount an overlay of the directories `lowers`, topmost first, on `target`; writes go to `upper`.

    Without `upper` the mount is read-only, which needs two lowers. `options` are further words such as "userxattr".
    All directories are absolute paths. Those below one common parent are named relative to it, so that a hundred layers
    fit into the one page of mount(2), and beyond that by descriptors, whose names are short. The kernel takes no more
    than 500: then the lowest are an overlay of their own, which is left below the other one at `target`.
    """
    # Images may have a layer twice, which the kernel refuses (ELOOP); the upper one has all that the lower one has.
    lowers = list(dict.fromkeys(lowers))
    words = list(options)
    with _Place(target) as place:
        if len(lowers) > _MOST_LOWERS:
            groups = -((_MOST_LOWERS - len(lowers)) // (_MOST_LOWERS - 1))
            lowers, rest = lowers[: _MOST_LOWERS - groups], lowers[_MOST_LOWERS - groups :]
            ends = [len(rest) * number // groups for number in range(groups + 1)]
            for first, end in itertools.pairwise(ends):
                place.mount(rest[first:end], "", "", words)
                lowers.append(fd_path(place.open(target)))
        place.mount(lowers, upper, work, words)


class _Place:
    """Where overlays are mounted, and what is open meanwhile; the working directory is another one meanwhile, too."""

    def __init__(self, target: str) -> None:
        self._fds: list[int] = []
        self._before = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._limits: tuple[int, int] | None = None
        self._target = self.open(target)

    def __enter__(self) -> _Place:
        return self

    def __exit__(self, *_: object) -> None:
        os.fchdir(self._before)
        for fd in (*self._fds, self._before):
            os.close(fd)
        if self._limits is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_NOFILE, self._limits)

    def open(self, path: str) -> int:
        """A descriptor that names the file at `path` as long as this is open."""
        self._fds.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
        return self._fds[-1]

    def mount(self, lowers: list[str], upper: str, work: str, options: list[str]) -> None:
        """Mount one overlay, on top of what is mounted at the target already."""
        base = os.path.dirname(lowers[0])
        os.chdir(base)
        relative = [
            os.path.basename(lower) if os.path.dirname(lower) == base else lower for lower in lowers
        ]
        lowerdir = f"lowerdir={':'.join(map(_escape, relative))}"
        words = [f"upperdir={upper}", f"workdir={work}", *options] if upper else options
        if upper and (
            len(os.fsencode(lowerdir + "".join(words))) > _PAGE - 64
            or _ODD.intersection(upper + work)
        ):
            # By descriptors, whose names are short and plain whatever the user's directory is called.
            words = [
                f"upperdir={fd_path(self.open(upper))}",
                f"workdir={fd_path(self.open(work))}",
                *options,
            ]
        data = ",".join([lowerdir, *words])
        if len(os.fsencode(data)) >= _PAGE:
            self._allow_descriptors(len(lowers))
            fds = [self.open(lower) for lower in lowers]
            os.chdir("/proc/self/fd")
            data = ",".join([f"lowerdir={':'.join(map(str, fds))}", *words])
        syscalls.mount("overlay", fd_path(self._target), "overlay", 0, data)

    def _allow_descriptors(self, more: int) -> None:
        """Let so many more be open; whoever is executed later has the limit that there was."""
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._limits = self._limits or (soft, hard)
        wanted = soft + more
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def mount_overlay_options(target: str, options: Iterable[str]) -> None:
    """Mount an overlay that is described by the words of an OCI mount: "lowerdir=A:B", "upperdir=U", and so on."""
    lowers, upper, work, rest = [], "", "", []
    for word in options:
        key, _, value = word.partition("=")
        if key == "lowerdir":
            lowers = split_lowers(value)
        elif key == "upperdir":
            upper = value
        elif key == "workdir":
            work = value
        else:
            rest.append(word)
    mount_overlay(lowers, upper, work, target, rest)


def split_lowers(value: str) -> list[str]:
    """The directories of an option "lowerdir=A:B"."""
    return [part.replace("\0", ":") for part in value.replace("\\:", "\0").split(":")]


def _escape(lower: str) -> str:
    """A directory name as overlay reads it in `lowerdir`."""
    for character in "\\:,":
        lower = lower.replace(character, "\\" + character)
    return lower
