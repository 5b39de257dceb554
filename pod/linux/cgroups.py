"""The delegated part of the cgroup v2 tree: groups for containers, their limits, freezing and killing.

Everything works below a directory that the caller may write (systemd's delegation, or one that root gave away). Where
there is none, `delegated_root` says so, and containers run in the caller's own group without limits. See cgroups(7)
and the kernel's admin-guide/cgroup-v2.
"""

from __future__ import annotations

import errno
import os
import select
import time

from pod.linux.signals import SIGKILL

MOUNT = "/sys/fs/cgroup"
_GONE = frozenset(
    (errno.ENOENT, errno.ENODEV)
)  # ENODEV: removed between open(2) and read(2) or write(2)
_READY_SECONDS = 0.004
_READY_TICKS = 50


def own_group() -> str | None:
    """The path of the caller's cgroup below MOUNT, such as "/user.slice/..."; None without a v2 hierarchy."""
    with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if line.startswith("0::"):
                return line[3:].rstrip("\n")
    return None


def delegated_root() -> str | None:
    """The highest directory above the caller's group in which the caller may make groups and move itself.

    None when there is no unified hierarchy at MOUNT, or nothing of it is delegated.
    """
    group = own_group()
    if group is None or not os.path.exists(f"{MOUNT}/cgroup.controllers"):
        return None
    return highest_writable(MOUNT, group)


def highest_writable(mount: str, group: str) -> str | None:
    """The highest directory from `mount` + `group` upward that the caller may write without a gap; None for none."""
    found = None
    path = os.path.normpath(mount + group)
    while (path == mount or path.startswith(f"{mount}/")) and _is_ours(path):
        found = path
        path = os.path.dirname(path)
    return found


def _is_ours(path: str) -> bool:
    return os.access(path, os.W_OK) and os.access(f"{path}/cgroup.procs", os.W_OK)


def controllers(path: str) -> list[str]:
    """The controllers that groups made in `path` can have."""
    return _read(f"{path}/cgroup.controllers").split()


def create(path: str, wanted: set[str]) -> None:
    """Make the group `path` (its parent exists), with as many of the `wanted` controllers as the parent can give.

    A group that is there already, left by a crash, is used if it is empty.
    """
    parent = os.path.dirname(path)
    for name in wanted & set(controllers(parent)):
        try:
            _write(f"{parent}/cgroup.subtree_control", f"+{name}")
        except OSError as error:
            # A group with processes of its own cannot give controllers to its children (EBUSY).
            # One that is threaded, or in a threaded domain, neither (EOPNOTSUPP).
            if error.errno not in {
                errno.EBUSY,
                errno.EACCES,
                errno.EPERM,
                errno.ENOENT,
                errno.EOPNOTSUPP,
            }:
                raise
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        if processes(path):
            raise


GROUP_PREFIX = "group-"  # of the name of a group that is there for the groups of several containers


def create_group(path: str, wanted: set[str], files: dict[str, str]) -> dict[str, str]:
    """Make a group for groups of containers, unless it is there, with these limits; those that were refused.

    Its name begins with GROUP_PREFIX, and it goes with the last of them (`remove_with_processes`).
    """
    try:
        create(path, wanted | {name.partition(".")[0] for name in files})
    except FileExistsError:
        pass  # there are processes below it already
    return set_values(path, files)


def set_values(path: str, files: dict[str, str]) -> dict[str, str]:
    """Write limits such as {"memory.max": "1048576"}; what could not be written, as {file: reason}.

    A value of several lines ("io.max", one for each device) is written line by line, as the kernel takes it.
    """
    refused = {}
    for name, value in files.items():
        try:
            for line in value.split("\n"):
                _write(f"{path}/{name}", line)
        except FileNotFoundError:
            refused[name] = why_missing(path, name)
        except OSError as error:
            refused[name] = error.strerror or str(error)
    return refused


def why_missing(path: str, name: str) -> str:
    """Why the group has no file of this name, such as "io.weight"."""
    controller = name.partition(".")[0]
    if controller not in controllers(path):
        return f"the {controller} controller is not delegated"
    return f"this kernel has no {name}"


def enter(path: str, pid: int) -> None:
    """Move the process `pid` (0: the caller) into the group. Needs write access to the common ancestor too."""
    _write(f"{path}/cgroup.procs", str(pid))


def place_of(path: str, init_pid: int) -> str:
    """Where a process that joins a container can be: the group `path` itself, or the one of its first process.

    A group whose children have controllers takes no processes (cgroups(7), "no internal processes"): that is so where
    systemd runs in a container. `init_pid` 0 is none.
    """
    try:
        if not init_pid or not _read(f"{path}/cgroup.subtree_control").strip():
            return path
        with open(f"/proc/{init_pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            group = file.read().rpartition("0::")[2].rstrip("\n")
    except OSError:
        return path  # the container has just ended
    # The number may have been given to somebody else.
    return MOUNT + group if f"{MOUNT}{group}".startswith(f"{path}/") else path


def get_ready_to_move() -> None:
    """Have the kernel ready for `enter`, while somebody else works.

    The first move of a process in a while waits until every processor has noticed (cgroup_threadgroup_rwsem), 10 ms
    and more; one that follows within some milliseconds does not. So we move ourselves to where we are.
    """
    try:
        enter(f"{MOUNT}{own_group()}", 0)
    except OSError:
        pass  # no v2 hierarchy, or a group that is not ours


def stay_ready_to_move(until_fd: int) -> None:
    """Be ready until something can be read from `until_fd`, for a fifth of a second at most."""
    for _ in range(_READY_TICKS):
        if select.select([until_fd], [], [], _READY_SECONDS)[0]:
            return
        get_ready_to_move()


def processes(path: str) -> list[int]:
    """The processes in the group and the groups below it."""
    found: list[int] = []
    waiting = [path]
    while waiting:
        directory = waiting.pop()
        try:
            found += [int(line) for line in _read(f"{directory}/cgroup.procs").split()]
            if os.stat(directory).st_nlink > 2:  # there are groups below it
                with os.scandir(directory) as entries:
                    waiting += [entry.path for entry in entries if entry.is_dir()]
        except OSError as error:
            if error.errno not in _GONE:
                raise
    return found


def is_populated(path: str) -> bool:
    """Whether a process lives in the group or below it; False when there is no such group."""
    return "populated 1" in _events(path)


def freeze(path: str, frozen: bool) -> None:
    """Ask the kernel to freeze or thaw the group; `is_frozen` tells when it is done."""
    _write(f"{path}/cgroup.freeze", "1" if frozen else "0")


def is_frozen(path: str) -> bool:
    """Whether every process of the group has stopped."""
    return "frozen 1" in _events(path)


def wait_until_frozen(path: str, timeout_seconds: float, *, frozen: bool = True) -> bool:
    """Wait for the kernel to freeze the group, or to thaw it; False when the time is over first.

    cgroup.events tells of a change by POLLPRI (cgroups(7)).
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        fd = os.open(f"{path}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return not frozen
    try:
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        while True:
            try:
                if (b"frozen 1" in os.pread(fd, 4096, 0)) == frozen:
                    return True
            except OSError:  # the group has gone
                return not frozen
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            poll.poll(left * 1000)
    finally:
        os.close(fd)


def kill(path: str) -> bool:
    """SIGKILL to every process of the group and those below it; False when there is no such group.

    Before Linux 5.14, which brought cgroup.kill, one by one: a process that forks meanwhile needs another call.
    """
    try:
        _write(f"{path}/cgroup.kill", "1")
    except OSError as error:
        if error.errno not in _GONE:
            raise
        if not os.path.isdir(path):
            return False
        for pid in processes(path):
            _kill_one(pid)
    return True


def _kill_one(pid: int) -> None:
    if pid == 0:
        return  # of another PID namespace; to kill(2) it would mean the caller's own process group
    try:
        os.kill(pid, SIGKILL)
    except ProcessLookupError:
        pass


def remove(path: str) -> bool:
    """Remove the group and those below it; False when a process is still in one of them."""
    for directory, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno == errno.EBUSY:
                return False
            raise
    return True


def out_of_memory_kills(path: str) -> int:
    """How many processes of the group the kernel killed for want of memory (memory.events, oom_kill)."""
    try:
        text = _read(f"{path}/memory.events")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def _events(path: str) -> str:
    """What cgroup.events says; "" when there is no such group."""
    try:
        return _read(f"{path}/cgroup.events")
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return ""


def _read(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = b""
        while part := os.read(fd, 1 << 20):  # the kernel gives lists a page at a time
            text += part
        return text.decode()
    finally:
        os.close(fd)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def remove_with_processes(path: str, *, timeout_seconds: float = 5.0) -> None:
    """Kill what lives in the group and remove it. A group that is gone already is fine."""
    kill(path)
    deadline = time.monotonic() + timeout_seconds
    while not remove(path) and time.monotonic() < deadline:
        kill(path)
        time.sleep(
            0.002
        )  # killed processes leave the group when they are reaped; nothing announces it
    parent = os.path.dirname(path)
    if os.path.basename(parent).startswith(GROUP_PREFIX):
        try:
            os.rmdir(parent)
        except OSError:
            pass  # others are in it, or it has gone
