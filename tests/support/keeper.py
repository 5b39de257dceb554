"""Who belongs to this test run: a process above pytest that inherits every orphan.

Containers, monitors and network helpers detach on purpose, so after a test nobody is their parent. `adopt_orphans` puts
a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) above pytest: whatever tests start stays a descendant of that keeper
until it dies, whichever user, session or namespace it has moved to. `descendants` then finds it, and nothing of other
users of the machine. The keeper also reaps, as init would, and ends what is left when pytest ends.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

_PR_SET_CHILD_SUBREAPER = 36


class _State:
    keeper: int | None = None


def adopt_orphans() -> None:
    """Fork: the parent stays as keeper, the child goes on as pytest. Once for a process; later calls do nothing.

    POD_TEST_NO_KEEPER=1 leaves it out, for a debugger that must know the process; leaks are then not found.
    """
    if _State.keeper is not None or os.environ.get("POD_TEST_NO_KEEPER"):
        return
    if os.environ.get("PYTEST_XDIST_WORKER"):
        # It has threads, so a fork comes too late; tests/support/worker has put the keeper above it.
        _State.keeper = os.getppid()
        return
    sys.stdout.flush()
    sys.stderr.flush()
    if fork_below() == 0:
        _State.keeper = os.getppid()


def fork_below() -> int:
    """Fork: the child returns 0, the parent keeps what the child leaves behind and ends with its status."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")
    child = os.fork()
    if child == 0:
        return 0
    status = 1
    try:
        status = _keep(child)
    finally:
        os._exit(status)


def _keep(child: int) -> int:
    """Reap until `child` has ended, end what is left, return the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal gives it to pytest too
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for stream in (0, 1):  # who reads the child's output sees its end
        os.dup2(nothing, stream)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: os.kill(child, got))
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            break
    _end_leftovers()
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _end_leftovers() -> None:
    """End all descendants; new orphans appear as their parents end, so look again until there are none."""
    deadline = time.monotonic() + 10
    told = set()
    while (left := descendants(os.getpid())) and time.monotonic() < deadline:
        for process in left:
            if process not in told:
                told.add(process)
                os.write(2, f"keeper: ending {process.describe()}\n".encode())
            process.kill()
        wait_for_end(left, 1)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return


@dataclass(frozen=True)
class Process:
    """A process by number and start time, so that a number used again is another process."""

    pid: int
    started: int

    def is_alive(self) -> bool:
        stat = _stat(self.pid)
        return stat is not None and stat[1] == self.started and stat[2] not in "ZX"

    def command(self) -> list[str]:
        try:
            with open(f"/proc/{self.pid}/cmdline", "rb") as file:
                return file.read().decode(errors="replace").rstrip("\0").split("\0")
        except OSError:
            return []

    def describe(self) -> str:
        """Number, user, command and listening ports, for a person who wonders where it came from."""
        words = " ".join(self.command()) or "?"
        try:
            user = str(os.stat(f"/proc/{self.pid}").st_uid)
        except OSError:
            user = "?"
        ports = listening_ports(self.pid)
        listening = f", listening on {', '.join(map(str, ports))}" if ports else ""
        return f"process {self.pid} of user {user} ({words[:200]}{listening})"

    def kill(self) -> None:
        """End exactly this process. One that is not ours to signal stays."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except OSError:
            return
        try:
            if self.is_alive():
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        finally:
            os.close(pidfd)


def descendants(ancestor: int | None = None) -> list[Process]:
    """All live processes below the keeper (or `ancestor`), without pytest itself; empty when there is no keeper."""
    top = ancestor or _State.keeper
    if top is None:
        return []
    for _ in range(20):
        parents = _parents()
        # A parent that is gone although its child was read means that the picture moved.
        if all(parent in parents or parent == 0 for parent, _, _ in parents.values()):
            break
    found = []
    belongs = {top: True}
    for pid, (_, started, state) in parents.items():
        if pid not in (top, os.getpid()) and state not in "ZX" and _belongs(pid, parents, belongs):
            found.append(Process(pid, started))
    return found


def wait_for_end(processes: Iterable[Process], seconds: float) -> list[Process]:
    """Wait until all have ended, at most so long; those that have not."""
    deadline = time.monotonic() + seconds
    left = []
    for process in processes:
        try:
            pidfd = os.pidfd_open(process.pid)
        except OSError as error:
            if error.errno not in {errno.ESRCH, errno.EINVAL}:  # as processes.open_pidfd has it
                raise
            continue
        try:
            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            while process.is_alive() and (rest := deadline - time.monotonic()) > 0:
                poller.poll(rest * 1000)
            if process.is_alive():
                left.append(process)
        finally:
            os.close(pidfd)
    return left


def listening_ports(pid: int) -> list[int]:
    """TCP ports on which a process listens, in its own network namespace; empty where we may not look."""
    inodes = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
        ports = set()
        for table in ("tcp", "tcp6"):
            with open(f"/proc/{pid}/net/{table}") as file:
                for line in file.readlines()[1:]:
                    fields = line.split()
                    if fields[3] == "0A" and fields[9] in inodes:
                        ports.add(int(fields[1].rpartition(":")[2], 16))
    except OSError:
        return []
    return sorted(ports)


def _belongs(pid: int, parents: dict[int, tuple[int, int, str]], known: dict[int, bool]) -> bool:
    path = []
    while pid not in known:
        path.append(pid)
        if pid not in parents or pid == 0:
            known[pid] = False
            break
        pid = parents[pid][0]
    for step in path:
        known[step] = known[pid]
    return known[pid]


def _parents() -> dict[int, tuple[int, int, str]]:
    """Every process: its parent, start time and state."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (stat := _stat(int(name))):
            found[int(name)] = stat
    return found


def _stat(pid: int) -> tuple[int, int, str] | None:
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, 4096)
    except OSError:
        return None
    finally:
        os.close(fd)
    fields = data[data.rindex(b")") + 2 :].split()
    return int(fields[1]), int(fields[19]), fields[0].decode()
