"""Run a command in a running container with a time limit, and keep the beginning of what it says: health checks.

At the time limit everything that the command has started is killed, also what has made itself a daemon: `join.py` puts
a parent above the command that adopts orphans, so that all of them stay below one process.
"""

from __future__ import annotations

import os
import select
import time

from pod.base import exits
from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import processes, signals
from pod.runtime import joiner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

TIMED_OUT = -1
_READ_BYTES = 1 << 16
_KILL_SECONDS = 5.0
_LOOK_SECONDS = 0.002


class Outcome(Record):
    """How a command ended: its exit status, TIMED_OUT for one that was killed, 126 or 127 for one that never began."""

    status: int
    output: bytes


class _TimeOver(Exception):
    """The time limit."""


def probe(
    order: dict[str, Any], cgroup: str, *, timeout_seconds: float, most_bytes: int
) -> Outcome:
    """Run the command of `order` (see joiner.start) in the cgroup of the container, "" for none.

    For a process with one thread that nobody else times by SIGALRM. On an exception everything is killed as well, and
    by SIGTERM, which then ends this process: nothing is known of a command that was given up.
    """
    at = joiner.Joiner().prepare(cgroup, order["container_pid"])

    def end(number: int, frame: object) -> NoReturn:
        kill_all(at.pid)
        if number == signals.SIGTERM:
            signals.end_by(number)
        raise _TimeOver

    output: list[bytes] = []
    with signals.Alarm(timeout_seconds, end):
        try:
            status = _run(order, at, output, most_bytes)
        except _TimeOver:
            status = TIMED_OUT
        except PodError as error:
            if error.exit_status not in {exits.NOT_EXECUTABLE, exits.NOT_FOUND}:
                raise
            return Outcome(error.exit_status, str(error).encode("utf-8", "replace"))
        except BaseException:
            kill_all(at.pid)
            raise
    if status == TIMED_OUT:
        try:
            os.waitpid(at.pid, 0)
        except ChildProcessError:
            pass  # collected before
    return Outcome(status, b"".join(output)[:most_bytes])


def _run(order: dict[str, Any], at: joiner.Joiner, output: list[bytes], most_bytes: int) -> int:
    read_fd, write_fd = os.pipe()
    try:
        os.set_blocking(read_fd, False)
        try:
            null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
            try:
                joiner.start({**order, "adopts": True}, (null, write_fd, write_fd), at)
            finally:
                os.close(null)
        finally:
            os.close(write_fd)
        return _follow(read_fd, at.pid, output, most_bytes)
    finally:
        os.close(read_fd)


def _follow(read_fd: int, pid: int, output: list[bytes], most_bytes: int) -> int:
    """Read until the command has ended, whoever else may have the pipe open; its exit status."""
    ended_fd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(ended_fd, select.POLLIN)
        poll.register(read_fd, select.POLLIN)
        has_ended = False
        while not has_ended:
            # What is in the pipe when the command has ended was written before, so one more look is enough.
            has_ended = any(fd == ended_fd for fd, _ in poll.poll())
            data = _read(read_fd)
            if data == b"" and not has_ended:
                poll.unregister(read_fd)  # it has closed its output and goes on
            left = most_bytes - sum(map(len, output))
            if data and left > 0:
                output.append(data[:left])
        _, status = os.waitpid(pid, 0)
        return exits.from_wait_status(status)
    finally:
        os.close(ended_fd)


def _read(fd: int) -> bytes | None:
    try:
        return os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return None


def kill_all(pid: int) -> None:
    """Kill a joiner (join.py) and everything below it; the caller reaps it.

    Its child adopts the orphans, so that one is stopped first and killed last: nothing gets out from under it.
    """
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return  # it has been collected, and its number may be another's
    holders = [(child, started) for child, parent, started in _all_processes() if parent == pid]
    for holder, started in holders:
        processes.send_signal(holder, started, signals.SIGSTOP)
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        found = _below([holder for holder, _ in holders])
        if not found:
            break
        for one, started in found:
            processes.send_signal(one, started, signals.SIGKILL)
        time.sleep(_LOOK_SECONDS)
    for holder, started in holders:
        processes.send_signal(holder, started, signals.SIGKILL)
    os.kill(pid, signals.SIGKILL)


def _below(roots: list[int]) -> list[tuple[int, int]]:
    """(process, start time) of all descendants that are still alive."""
    children: dict[int, list[tuple[int, int]]] = {}
    for pid, parent, started in _all_processes():
        children.setdefault(parent, []).append((pid, started))
    found: list[tuple[int, int]] = []
    queue = list(roots)
    while queue:
        below = children.get(queue.pop(), ())
        found += below
        queue += [pid for pid, _ in below]
    return found


def _all_processes() -> list[tuple[int, int, int]]:
    """(process, parent, start time) of every process that has not ended; proc(5), /proc/PID/stat."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                data = file.read()
        except OSError:
            continue
        fields = data[data.rindex(b")") + 2 :].split()
        if fields[0] not in (b"Z", b"X"):
            found.append((int(name), int(fields[1]), int(fields[19])))
    return found
