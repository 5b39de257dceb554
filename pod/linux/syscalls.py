"""One typed function per system call that the `os` module of Python 3.10 lacks.

Every function raises OSError with errno, text and, where there is one, the path. No policy here: what to mount, or what
to do when a call is missing (ENOSYS), is decided one level up. Descriptors that are returned are close-on-exec and
belong to the caller.
"""

from __future__ import annotations

import os

from pod.linux import ctype
from pod.linux.ctype import (
    c_char_p,
    c_int,
    c_long,
    c_size_t,
    c_uint,
    c_uint64,
    c_ulong,
    c_ushort,
    c_void_p,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# mount(2), umount2(2)
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_DIRSYNC = 0x80
MS_NOSYMFOLLOW = 0x100
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_SILENT = 0x8000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_RELATIME = 0x200000
MS_STRICTATIME = 0x1000000
MNT_DETACH = 0x2

# prctl(2)
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2  # capabilities(7)
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

# openat2(2)
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

# open_tree(2), move_mount(2), mount_setattr(2)
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100
OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOVE_MOUNT_T_EMPTY_PATH = 0x40
MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

# close_range(2)
CLOSE_RANGE_CLOEXEC = 4  # Linux 5.11

# clone3(2)
CLONE_INTO_CGROUP = 0x200000000
_SIGCHLD = 17

# seccomp(2)
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_LOG = 2
SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4
SECCOMP_FILTER_FLAG_TSYNC = 1

# The numbers of calls since Linux 5.2 are the same on every architecture.
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "ppc64le": 203, "s390x": 217, "riscv64": 41}
_SYS_SECCOMP = {"x86_64": 317, "aarch64": 277, "ppc64le": 358, "s390x": 348, "riscv64": 277}
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91, "ppc64le": 184, "s390x": 185, "riscv64": 91}
_SYS_CAPGET = {"x86_64": 125, "aarch64": 90, "ppc64le": 183, "s390x": 184, "riscv64": 90}
_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219, "ppc64le": 271, "s390x": 280, "riscv64": 219}
_SYS_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "ppc64le": 273, "s390x": 282, "riscv64": 30}
_SYS_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274, "ppc64le": 355, "s390x": 345, "riscv64": 274}
_SYS_PIDFD_GETFD = 438
_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_SYS_OPENAT2 = 437
_SYS_MOUNT_SETATTR = 442
_SYS_CLOSE_RANGE = 436
_SYS_CLONE3 = 435

# Not asked again later: personality(2) can give it another name.
_MACHINE = os.uname().machine
_libc = ctype.Program()


def _bind(name: str, *argtypes: Any) -> Any:
    function = _libc[name]
    function.argtypes, function.restype = argtypes, c_int
    return function


def _check(result: int, path: str | None = None) -> int:
    if result < 0:
        number = ctype.get_errno()
        raise OSError(number, os.strerror(number), path and _name(path))
    return result


def _name(path: str) -> str:
    """The path for a message: a name of a descriptor (mounts.fd_path) says nothing to a person, its file's own does."""
    if not path.startswith("/proc/self/fd/"):
        return path
    try:
        return os.readlink(path)
    except OSError:
        return path


def _number(table: dict[str, int]) -> int:
    return table[_MACHINE]


_syscall = _libc["syscall"]
_syscall.restype = c_long
_unshare = _bind("unshare", c_int)
_setns = _bind("setns", c_int, c_int)
_mount = _bind("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
_umount2 = _bind("umount2", c_char_p, c_int)
_prctl = _bind("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
_sethostname = _bind("sethostname", c_char_p, c_size_t)
_setdomainname = _bind("setdomainname", c_char_p, c_size_t)
_personality = _bind("personality", c_ulong)
_memcpy = _bind("memcpy", c_void_p, c_char_p, c_size_t)
_syncfs = _bind("syncfs", c_int)
_sync_file_range = _bind("sync_file_range", c_int, c_uint64, c_uint64, c_uint)
_renameat2 = _bind("renameat2", c_int, c_char_p, c_int, c_char_p, c_uint)


def unshare(flags: int) -> None:
    """unshare(2): leave namespaces and enter new ones; CLONE_NEWUSER needs a process with one thread."""
    _check(_unshare(flags))


def setns(fd: int, flags: int) -> None:
    """setns(2): enter the namespace of `fd`, or, for a pidfd, all those named by `flags` (Linux 5.8)."""
    _check(_setns(fd, flags))


def mount(source: str | None, target: str, fstype: str | None, flags: int, data: str = "") -> None:
    """mount(2). `data` holds at most one page of options."""
    _check(
        _mount(
            None if source is None else os.fsencode(source),
            os.fsencode(target),
            None if fstype is None else fstype.encode(),
            flags,
            os.fsencode(data) if data else None,
        ),
        target,
    )


def umount2(target: str, flags: int) -> None:
    """umount2(2)."""
    _check(_umount2(os.fsencode(target), flags), target)


def syncfs(fd: int) -> None:
    """syncfs(2): write everything of the file system that holds `fd` to its disk."""
    _check(_syncfs(fd))


SYNC_FILE_RANGE_WRITE = 2


def sync_file_range(fd: int, offset: int, size: int, flags: int) -> None:
    """sync_file_range(2): begin to write a part of a file to its disk; it is no fsync."""
    _check(_sync_file_range(fd, offset, size, flags))


RENAME_EXCHANGE = 2
_AT_FDCWD = -100


def renameat2(old_path: str, new_path: str, flags: int) -> None:
    _check(
        _renameat2(_AT_FDCWD, os.fsencode(old_path), _AT_FDCWD, os.fsencode(new_path), flags),
        new_path,
    )


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    _check(
        _syscall(
            c_long(_number(_SYS_PIVOT_ROOT)),
            c_char_p(os.fsencode(new_root)),
            c_char_p(os.fsencode(put_old)),
        ),
        new_root,
    )


def prctl(option: int, argument2: int = 0, argument3: int = 0, argument4: int = 0) -> int:
    """prctl(2) with numbers as arguments."""
    return _check(_prctl(option, argument2, argument3, argument4, 0))


def set_process_name(name: str) -> None:
    """PR_SET_NAME of prctl(2): at most 15 bytes are kept."""
    buffer = ctype.create_string_buffer(name.encode()[:15] + b"\0")
    _check(_prctl(PR_SET_NAME, ctype.addressof(buffer), 0, 0, 0))


def set_command_line(text: str) -> None:
    """What /proc/PID/cmdline and comm show of this process, instead of the words that it was started with; proc(5)."""
    set_process_name(text)
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end, fields 48 and 49
    if start < end:
        data = text.encode()[: end - start - 1]
        _memcpy(start, data.ljust(end - start, b"\0"), end - start)


def close_range(first: int, last: int, flags: int) -> None:
    """close_range(2) (Linux 5.9)."""
    _check(_syscall(c_long(_SYS_CLOSE_RANGE), c_uint(first), c_uint(last), c_uint(flags)))


def fork_into_cgroup(directory_fd: int) -> int:
    """fork(2), but the child is in the cgroup of this directory from the start: clone3(2), Linux 5.7.

    For processes with one thread. Python is told around it what os.fork tells it, by the functions that it has for
    whoever forks without it; what glibc's fork does besides is for other threads.
    """
    python = ctype.Program(keeps_lock=True)  # as os.fork does
    call = python["syscall"]
    call.restype = c_long
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
    arguments = (c_uint64 * 11)(CLONE_INTO_CGROUP, 0, 0, 0, _SIGCHLD, 0, 0, 0, 0, 0, directory_fd)
    python["PyOS_BeforeFork"]()
    pid: int = call(
        c_long(_SYS_CLONE3),
        ctype.byref(arguments),
        c_size_t(ctype.sizeof(arguments)),
    )
    if pid == 0:
        python["PyOS_AfterFork_Child"]()
    else:
        python["PyOS_AfterFork_Parent"]()
    return _check(pid)


def sethostname(name: str) -> None:
    """sethostname(2)."""
    data = name.encode()
    _check(_sethostname(data, len(data)))


def setdomainname(name: str) -> None:
    """setdomainname(2)."""
    data = name.encode()
    _check(_setdomainname(data, len(data)))


def personality(persona: int) -> None:
    """personality(2)."""
    _check(_personality(persona))


def ioprio_set(value: int) -> None:
    """ioprio_set(2) for this process; `value` has the class from bit 13 on."""
    _check(_syscall(c_long(_number(_SYS_IOPRIO_SET)), c_int(1), c_int(0), c_int(value)))


class _SchedAttr(ctype.Structure):
    _fields_ = (
        ("size", c_uint),
        ("sched_policy", c_uint),
        ("sched_flags", c_uint64),
        ("sched_nice", c_int),
        ("sched_priority", c_uint),
        ("sched_runtime", c_uint64),
        ("sched_deadline", c_uint64),
        ("sched_period", c_uint64),
    )


def sched_setattr(
    policy: int,
    *,
    flags: int,
    nice: int,
    priority: int,
    runtime: int,
    deadline: int,
    period: int,
) -> None:
    """sched_setattr(2) for this thread; times in nanoseconds."""
    attributes = _SchedAttr(
        ctype.sizeof(_SchedAttr), policy, flags, nice, priority, runtime, deadline, period
    )
    _check(
        _syscall(c_long(_number(_SYS_SCHED_SETATTR)), c_int(0), ctype.byref(attributes), c_uint(0))
    )


class _OpenHow(ctype.Structure):
    _fields_ = (("flags", c_uint64), ("mode", c_uint64), ("resolve", c_uint64))


def openat2(dir_fd: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """openat2(2) (Linux 5.6): open with rules for the resolution of the path."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    return _check(
        _syscall(
            c_long(_SYS_OPENAT2),
            c_int(dir_fd),
            c_char_p(os.fsencode(path)),
            ctype.byref(how),
            c_size_t(ctype.sizeof(how)),
        ),
        path,
    )


def open_tree(dir_fd: int, path: str, flags: int) -> int:
    """open_tree(2) (Linux 5.2): with OPEN_TREE_CLONE, a descriptor of a detached copy of the mount."""
    return _check(
        _syscall(
            c_long(_SYS_OPEN_TREE),
            c_int(dir_fd),
            c_char_p(os.fsencode(path)),
            c_uint(flags | OPEN_TREE_CLOEXEC),
        ),
        path,
    )


def move_mount(from_fd: int, from_path: str, to_fd: int, to_path: str, flags: int) -> None:
    """move_mount(2) (Linux 5.2)."""
    _check(
        _syscall(
            c_long(_SYS_MOVE_MOUNT),
            c_int(from_fd),
            c_char_p(os.fsencode(from_path)),
            c_int(to_fd),
            c_char_p(os.fsencode(to_path)),
            c_uint(flags),
        ),
        to_path or from_path,
    )


class _MountAttr(ctype.Structure):
    _fields_ = (
        ("attr_set", c_uint64),
        ("attr_clr", c_uint64),
        ("propagation", c_uint64),
        ("userns_fd", c_uint64),
    )


def mount_setattr(
    dir_fd: int, path: str, flags: int, attr_set: int, attr_clr: int = 0, propagation: int = 0
) -> None:
    """mount_setattr(2) (Linux 5.12): with AT_RECURSIVE, change a mount and all mounts below it."""
    attr = _MountAttr(attr_set, attr_clr, propagation, 0)
    _check(
        _syscall(
            c_long(_SYS_MOUNT_SETATTR),
            c_int(dir_fd),
            c_char_p(os.fsencode(path)),
            c_uint(flags),
            ctype.byref(attr),
            c_size_t(ctype.sizeof(attr)),
        ),
        path,
    )


def pidfd_getfd(pidfd: int, target_fd: int) -> int:
    """pidfd_getfd(2) (Linux 5.6): a copy of another process's descriptor."""
    return _check(_syscall(c_long(_SYS_PIDFD_GETFD), c_int(pidfd), c_int(target_fd), c_uint(0)))


class _SockFprog(ctype.Structure):
    _fields_ = (("len", c_ushort), ("filter", c_void_p))


def seccomp_set_filter(program: bytes, flags: int = 0) -> None:
    """seccomp(2), SECCOMP_SET_MODE_FILTER: install BPF instructions (8 bytes each) for this thread.

    Needs CAP_SYS_ADMIN in the user namespace, or no_new_privs.
    """
    buffer = ctype.create_string_buffer(program)
    prog = _SockFprog(len(program) // 8, ctype.addressof(buffer))
    _check(
        _syscall(
            c_long(_number(_SYS_SECCOMP)),
            c_uint(SECCOMP_SET_MODE_FILTER),
            c_uint(flags),
            ctype.byref(prog),
        )
    )


class _CapHeader(ctype.Structure):
    _fields_ = (("version", c_uint), ("pid", c_int))


class _CapData(ctype.Structure):
    _fields_ = (("effective", c_uint), ("permitted", c_uint), ("inheritable", c_uint))


_LINUX_CAPABILITY_VERSION_3 = 0x20080522


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """capset(2) on this thread; each argument is a bit mask of capability numbers."""
    header = _CapHeader(_LINUX_CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)()
    for index in (0, 1):
        shift = 32 * index
        data[index] = _CapData(
            effective >> shift & 0xFFFFFFFF,
            permitted >> shift & 0xFFFFFFFF,
            inheritable >> shift & 0xFFFFFFFF,
        )
    _check(_syscall(c_long(_number(_SYS_CAPSET)), ctype.byref(header), ctype.byref(data)))


def capget() -> tuple[int, int, int]:
    """capget(2) of this thread: effective, permitted and inheritable as bit masks."""
    header = _CapHeader(_LINUX_CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)()
    _check(_syscall(c_long(_number(_SYS_CAPGET)), ctype.byref(header), ctype.byref(data)))
    low, high = data[0], data[1]
    return (
        low.effective | high.effective << 32,
        low.permitted | high.permitted << 32,
        low.inheritable | high.inheritable << 32,
    )


def join_session_keyring(name: str) -> None:
    """KEYCTL_JOIN_SESSION_KEYRING of keyctl(2): a new, empty session keyring instead of the caller's."""
    _check(_syscall(c_long(_number(_SYS_KEYCTL)), c_int(1), c_char_p(name.encode())))
