"""Processes: fork with results as data, identity that survives reuse of numbers, descriptors that do not leak.

`fork` is called here and nowhere else.
"""

from __future__ import annotations

import errno
import fcntl
import marshal
import os
import select

from pod.base import exits, log
from pod.base.errors import PodError
from pod.linux import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn


class ChildFailed(PodError):
    """A forked child ended without giving its result: it was killed, or it met a defect."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(f"the process that should {what} ended with status {status}")


class Child:
    """A forked child that runs one function. Whoever gets it calls `result` or `kill`, once."""

    def __init__(self, pid: int, result_fd: int, what: str) -> None:
        self.pid = pid
        self.result_fd = result_fd
        self.what = what

    def result(self) -> Any:
        """Wait for the end; the function's result, or the exception that it raised."""
        parts = []
        while part := os.read(self.result_fd, 1 << 16):
            parts.append(part)
        os.close(self.result_fd)
        _, status = os.waitpid(self.pid, 0)
        if not parts:
            raise ChildFailed(self.what, exits.from_wait_status(status))
        kind, value = marshal.loads(b"".join(parts))
        if kind == "result":
            return value
        raise rebuild_error(kind, value)

    def kill(self) -> None:
        """End the child at once and reap it."""
        os.kill(self.pid, signals.SIGKILL)
        os.close(self.result_fd)
        os.waitpid(self.pid, 0)


def fork(function: Callable[[], Any], *, what: str, keep: Iterable[int] = ()) -> Child:
    """Run `function` in a child. Its result must be made of plain values (marshal); exceptions cross as data.

    The child has all descriptors closed but 0, 1, 2 and `keep`. `what` completes "the process that should ...".
    The caller must have a single thread.
    """
    read_fd, write_fd = os.pipe()
    try:
        pid = fork_raw()
    except OSError:
        os.close(read_fd)
        os.close(write_fd)
        raise
    if pid:
        os.close(write_fd)
        return Child(pid, read_fd, what)
    try:
        close_descriptors({0, 1, 2, write_fd, *keep})
        reply = ("result", function())
    except BaseException as error:  # noqa: BLE001  the process ends here; nothing may pass into the caller's code
        reply = describe_error(error)
    try:
        data = memoryview(marshal.dumps(reply))
        while data:
            data = data[os.write(write_fd, data) :]
    finally:
        leave(0)
    raise AssertionError("not reached")


def fork_raw() -> int:
    """As `os.fork`, after a flush, so that buffered output is not written twice; the child gets 0."""
    log.flush()
    return os.fork()


def fork_into_cgroup(directory_fd: int) -> int:
    """As fork_raw, with the child in the cgroup of this directory from the start. OSError where that cannot be.

    A process that is moved after it was forked waits, and has every fork and exec of the machine wait, until all
    processors have noticed (cgroup_threadgroup_rwsem of the kernel): 10 ms and more.
    """
    from pod.linux import syscalls  # heavy

    log.flush()
    return syscalls.fork_into_cgroup(directory_fd)


def leave(status: int) -> NoReturn:
    """End this process at once: no clean-up handlers, no exception into somebody else's frames."""
    log.flush()
    os._exit(status)


def describe_error(error: BaseException) -> tuple[str, Any]:
    """An exception as plain values; `rebuild_error` is the inverse."""
    if isinstance(error, PodError):
        return ("pod", (error.message, error.hint, error.exit_status))
    if isinstance(error, OSError) and error.errno is not None:
        name = error.filename
        return ("os", (error.errno, error.strerror, name if isinstance(name, str) else None))
    return ("defect", _traceback(error))


def _traceback(error: BaseException) -> str:
    """Like the traceback module's, without it: after pivot_root nothing can be imported."""
    lines = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        lines.append(f"  {code.co_filename}:{step.tb_lineno} in {code.co_name}")
        step = step.tb_next
    return "\n".join([*lines, f"{type(error).__name__}: {error}"])


def rebuild_error(kind: str, value: Any) -> Exception:
    """The exception that `describe_error` described, in this process."""
    if kind == "pod":
        message, hint, status = value
        rebuilt = PodError(message, hint=hint)
        rebuilt.exit_status = status
        return rebuilt
    if kind == "os":
        number, text, path = value
        return OSError(number, text, path)
    return RuntimeError(f"in a child process:\n{value}")


def close_descriptors(keep: Iterable[int]) -> None:
    """Close every descriptor of this process except those in `keep`."""
    low = 0
    for fd in sorted(set(keep)):
        if fd > low:
            os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, _highest_descriptor() + 1)


def _highest_descriptor() -> int:
    """The highest open descriptor; /proc answers faster than closing up to the limit."""
    try:
        return max(map(int, os.listdir("/proc/self/fd")))
    except (OSError, ValueError):  # in a container whose /proc is something else
        return 65535


_PF_EXITING = 0x4  # of the flags, field 9 of /proc/PID/stat (linux/sched.h)


def start_time(pid: int) -> int | None:
    """When `pid` started, in clock ticks since boot (proc(5), field 22); None when it is gone or a zombie."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        data = os.read(fd, 4096)
    except ProcessLookupError:
        return None
    finally:
        os.close(fd)
    fields = data[
        data.rindex(b")") + 2 :
    ].split()  # the name may contain anything, so count from its end
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def is_exiting(pid: int, started: int) -> bool:
    """Whether that process has ended but for what the kernel lets go of: what it was part of cannot be joined any more.

    The last one in a mount namespace unmounts what is there, and of an overlay the upper file system is synced first.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            data = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return False
    fields = data[data.rindex(b")") + 2 :].split()
    return int(fields[19]) == started and bool(int(fields[6]) & _PF_EXITING)


def is_alive(pid: int, started: int) -> bool:
    """Whether the process that had number `pid` and this start time still runs."""
    return start_time(pid) == started


def open_pidfd(pid: int) -> int:
    """A pidfd of the process that has this number now, which the caller closes; -1 when there is none."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        # EINVAL: older kernels, of one that is gone and whose number is still that of a session or process group.
        if error.errno not in {errno.ESRCH, errno.EINVAL}:
            raise
        return -1


def open_alive(pid: int, started: int) -> int:
    """A pidfd of exactly that process, which the caller closes; -1 when it is gone."""
    pidfd = open_pidfd(pid)
    if pidfd < 0:
        return -1
    # Looked at now, it also says that the number was still that of the process in question.
    if is_alive(pid, started):
        return pidfd
    os.close(pidfd)
    return -1


def send_signal(pid: int, started: int, number: int) -> bool:
    """Signal exactly that process, through a pidfd; False when it is gone."""
    pidfd = open_alive(pid, started)
    if pidfd < 0:
        return False
    try:
        signals.send_through_pidfd(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def kill_and_reap(pid: int) -> None:
    """SIGKILL a child, or a process that was reparented to the caller, and collect it. One that was is left alone."""
    try:
        # Until it is collected, no other process can have its number.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return
    os.kill(pid, signals.SIGKILL)
    os.waitpid(pid, 0)


def spawn(
    arguments: list[str],
    *,
    streams: tuple[int, int, int],
    keep: Iterable[int] = (),
    directory: str | None = None,
    environment: dict[str, str] | None = None,
    dies_with_parent: bool = False,
    new_session: bool = False,
) -> int:
    """Start a program, whose name is the absolute path arguments[0]; its pid, which the caller reaps.

    It gets `streams` as its standard streams, and `keep` under their own numbers. With `dies_with_parent` the kernel
    kills it when this process ends first, unless it makes itself a daemon (PR_SET_PDEATHSIG, prctl(2)).
    When it cannot be executed, it ends with status 127.
    """
    from pod.linux import syscalls  # heavy for commands that only look at processes

    parent = os.getpid()
    pid = fork_raw()
    if pid:
        return pid
    try:
        if new_session:
            os.setsid()
        if dies_with_parent:
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signals.SIGKILL)
            if os.getppid() != parent:
                os._exit(exits.FAILED)  # it had ended before the request
        moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in streams]
        for number, fd in enumerate(moved):
            os.dup2(fd, number)
        close_descriptors({0, 1, 2, *keep})
        for fd in keep:
            os.set_inheritable(fd, True)
        if directory is not None:
            os.chdir(directory)
        signals.restore_defaults()
        os.execve(
            arguments[0], arguments, clean_environment() if environment is None else environment
        )
    except BaseException as error:  # noqa: BLE001  the process ends here
        os.write(2, f"{arguments[0]}: {error}\n".encode("utf-8", "replace"))
    finally:
        os._exit(exits.NOT_FOUND)


def clean_environment() -> dict[str, str]:
    """What an external program needs of our environment: where programs, home and run directory are."""
    kept = ("PATH", "HOME", "USER", "XDG_RUNTIME_DIR", "TMPDIR", "DBUS_SESSION_BUS_ADDRESS")
    return {"LC_ALL": "C", **{name: os.environ[name] for name in kept if name in os.environ}}


def find_program(name: str, *directories: str) -> str | None:
    """The absolute path of a program: in `directories` first, then in PATH, then where system programs are."""
    path = os.environ.get("PATH", os.defpath).split(":")
    for directory in (*directories, *path, "/usr/local/sbin", "/usr/sbin", "/sbin"):
        candidate = os.path.join(directory, name)
        if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
    return None


def reap_all() -> list[tuple[int, int]]:
    """Collect every child that has ended: (pid, wait status) each."""
    reaped = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        reaped.append((pid, status))
    return reaped


def end_servers(servers: Iterable[tuple[int, int]]) -> None:
    """See the end of processes that leave by themselves when nobody needs them any more; the late ones are killed."""
    for pid, started in servers:
        if not wait_until_gone(pid, started):
            send_signal(pid, started, signals.SIGKILL)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            continue  # somebody else's, or collected already


def wait_until_gone(pid: int, started: int, *, timeout_seconds: float = 10.0) -> bool:
    """Wait for the end of a process that is no child; False when it is still there after the time."""
    pidfd = open_alive(pid, started)
    if pidfd < 0:
        return True
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(timeout_seconds * 1000))
    finally:
        os.close(pidfd)
