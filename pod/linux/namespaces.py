"""Namespaces by their OCI names: which flag, which file, how to join those of another process. See namespaces(7)."""

from __future__ import annotations

import os

from pod.linux import syscalls

FLAGS = {
    "user": syscalls.CLONE_NEWUSER,
    "mount": syscalls.CLONE_NEWNS,
    "pid": syscalls.CLONE_NEWPID,
    "network": syscalls.CLONE_NEWNET,
    "ipc": syscalls.CLONE_NEWIPC,
    "uts": syscalls.CLONE_NEWUTS,
    "cgroup": syscalls.CLONE_NEWCGROUP,
    "time": syscalls.CLONE_NEWTIME,
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
