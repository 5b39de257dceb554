"""Namespaces by their OCI names: which flag, which file, how to join those of another process. See namespaces(7)."""

from __future__ import annotations

import errno
import os

# clone(2), unshare(2), setns(2)
CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_NS_GET_NSTYPE = 0xB703  # ioctl_ns(2)

FLAGS = {
    "user": CLONE_NEWUSER,
    "mount": CLONE_NEWNS,
    "pid": CLONE_NEWPID,
    "network": CLONE_NEWNET,
    "ipc": CLONE_NEWIPC,
    "uts": CLONE_NEWUTS,
    "cgroup": CLONE_NEWCGROUP,
    "time": CLONE_NEWTIME,
}
_FILES = {
    "user": "user",
    "mount": "mnt",
    "pid": "pid",
    "network": "net",
    "ipc": "ipc",
    "uts": "uts",
    "cgroup": "cgroup",
    "time": "time",
}


def file_of(pid: int, kind: str) -> str:
    """The path of the namespace of `pid`; `kind` is a key of FLAGS."""
    return f"/proc/{pid}/ns/{_FILES[kind]}"


def kind_of(path: str) -> str:
    """The kind (a key of FLAGS) of the namespace that the file is; "" for another file. Raises OSError."""
    import fcntl  # rarely needed

    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flag = fcntl.ioctl(fd, _NS_GET_NSTYPE)
    except OSError as error:
        if error.errno in {errno.ENOTTY, errno.EINVAL}:
            return ""
        raise
    finally:
        os.close(fd)
    return next((kind for kind, number in FLAGS.items() if number == flag), "")


def holder(pid: int) -> int:
    """The process through which the namespaces of the container with process 1 `pid` can be reached.

    That is process 1 itself, unless it is pod's own (runtime/reaper.py), into which nobody may look; then it is its
    first child, the command. Raises ProcessLookupError when the container has ended.
    """
    try:
        try:
            os.stat(file_of(pid, "user"))
        except PermissionError:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                return int(file.read().split()[0])
    except (FileNotFoundError, IndexError):
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from None
    return pid


def identity(pid: int, kind: str) -> tuple[int, int]:
    """What tells one namespace from another while it lives: device and inode of its file."""
    status = os.stat(file_of(pid, kind))
    return status.st_dev, status.st_ino


def differing(pid: int, kinds: list[str]) -> int:
    """The flags of those `kinds` in which `pid` is not where the caller is.

    Joining a namespace that one is in already needs privileges over it, which for the host's nobody has.
    """
    flags = 0
    for kind in kinds:
        if identity(pid, kind) != identity(os.getpid(), kind):
            flags |= FLAGS[kind]
    return flags
