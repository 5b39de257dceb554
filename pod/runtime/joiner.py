"""Have a new process join a running container: the half that stays outside. `join.py` is that of the process itself.

The process is forked before anybody knows what it will do: by `pod exec` as its first act, so that the modules of the
two halves are loaded side by side, and so that the kernel's wait before a process changes its cgroup (10 ms, see
cgroups.get_ready_to_move) passes meanwhile.
"""

from __future__ import annotations

import errno
import os

from pod.linux import sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

# The container's cgroup, "" for none, its first process, 0 when not known, and descriptors from 3 on that are kept.
CONTAINER = "container"
ORDER = "order"  # what to start, and the flags of setns(2); with a pidfd and the three streams


class Joined:
    """A process that was started in a container. `pid` is its parent out here, which ends with the same status."""

    __slots__ = ("inner_pid", "pid", "terminal_fd")

    def __init__(self, pid: int, inner_pid: int, terminal_fd: int) -> None:
        self.pid = pid
        self.inner_pid = inner_pid  # the process itself, as seen from the caller's PID namespace
        self.terminal_fd = terminal_fd  # the master of its terminal, or -1; the caller closes it


class Joiner:
    """A process that is to join a container. Whoever has one passes it to `start` or calls `abandon`."""

    def __init__(self) -> None:
        """Fork it. The caller has one thread."""
        self.channel, theirs = sockets.pair()
        self.pid = os.fork()
        if self.pid == 0:
            self.channel.close()
            _become_joiner(theirs)
        theirs.close()

    def prepare(self, cgroup: str, init_pid: int, keep_fds: tuple[int, ...] = ()) -> Joiner:
        """Say where to: the process enters the cgroup while the order is put together. Gives the joiner itself."""
        self.channel.send(CONTAINER, cgroup, init_pid, keep_fds)
        return self

    def abandon(self) -> None:
        """End the process, which waits for the order or fails soon."""
        self.channel.close()
        os.waitpid(self.pid, 0)


def _become_joiner(channel: sockets.Channel) -> NoReturn:
    try:
        from pod.linux import signals

        # A key on the terminal is for the command, which passes it on, and not for those who prepare it.
        signals.block(signals.ENDING)
        from pod.runtime import join

        join.begin(channel)
    finally:
        os._exit(1)


def start(order: dict[str, Any], streams: tuple[int, int, int], joiner: Joiner) -> Joined:
    """Start a process in the container. Raises what kept it from running, with exit status 126 or 127 for those.

    `order` is plain data: container_pid, container_started, namespaces (kinds that the container has of its own),
    process (the OCI `process` object), user, groups, seccomp (path or None), keep_fds, id, detach; adopts,
    whether a parent stays above the process that adopts orphans (see probe.py). Without a terminal the process gets
    `streams` as they are. `joiner` has been prepared.
    """
    from pod.linux import namespaces, processes
    from pod.runtime import protocol

    channel = joiner.channel
    try:
        joined_pid = namespaces.holder(order["container_pid"])
        pidfd = os.pidfd_open(joined_pid)
        try:
            # Looked at now, it also says that the number above was still that of the process in question.
            if not processes.is_alive(order["container_pid"], order["container_started"]):
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
            flags = namespaces.differing(joined_pid, order["namespaces"])
            channel.send(ORDER, order, flags, fds=(pidfd, *streams))
        finally:
            os.close(pidfd)
        (inner_pid,), _ = protocol.expect(channel, protocol.PID)
        protocol.send(channel, protocol.PLACED)
        _, fds = protocol.expect(channel, protocol.READY)
        protocol.send(channel, protocol.START, "")
        protocol.wait_for_exec(channel)
    except BaseException:
        joiner.abandon()
        raise
    channel.close()
    return Joined(joiner.pid, inner_pid, fds[0] if fds else -1)
