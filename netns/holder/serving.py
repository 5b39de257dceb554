"""What the holder does while it lives: it serves the requests of protocol.py, and leaves when nobody needs it."""

from __future__ import annotations

import os

from netns.holder import group, protocol, work
from netns.holder.members import Members
from pod.base import faults, locks
from pod.linux import processes, signals, sockets
from pod.linux.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netns.holder.bridges import Network
    from netns.holder.work import Steps

_LINGER_SECONDS = faults.seconds("LINGER", 1.0)  # restarts should not have to wait for a new one
_MOVE_SECONDS = 0.3
_NO_PROCESS = (0, 0)


class Holder:
    """Serves requests until nothing is connected."""

    def __init__(self, directory: str, cgroup: str) -> None:
        self._directory = directory
        self._cgroup = cgroup
        self._loop = Loop()
        self._outside = _NO_PROCESS
        self._outside_keep_fd = -1
        self._outside_process_fd = -1
        self._work = work.Queue(self._loop)
        self._members = Members(self._loop, self._work, self._linger, self._is_out)
        self._clients: dict[int, sockets.Channel] = {}
        self._listener: sockets.Listener
        self._group: group.Group | None = None

    def begin(self) -> None:
        """Take requests."""
        self._remove_socket()
        self._want_outside(protocol.IS_STARTING)
        self._listener = sockets.Listener(self._directory, protocol.SOCKET)
        self._loop.watch(self._listener.fileno(), self._accept)
        if self._cgroup:
            # A move waits for all processors; the first containers should not wait for it.
            self._loop.set_timer("group", _MOVE_SECONDS, lambda: self._enter(self._cgroup))
        self._loop.set_timer("leave", _LINGER_SECONDS * 10, self._leave_if_idle)

    def make(self, networks: list[Network]) -> None:
        """Begin to make the networks that will be needed first; who needs one that failed tries again, and is told."""
        for network in networks:
            self._work.add(self._members.make(network), lambda _: None)

    def run(self) -> None:
        """Serve until nobody needs it; then nothing of it is left."""
        self._loop.run()

    def _enter(self, cgroup: str) -> None:
        self._group = group.Group(cgroup, self._directory)
        if self._outside_process_fd >= 0:
            self._group.take(self._outside[0])

    # The outside helper

    def _watch_outside(self) -> None:
        self._outside_process_fd = processes.open_pidfd(self._outside[0])
        if self._outside_process_fd < 0:
            self._lose_outside(0)
            return
        self._loop.watch(self._outside_process_fd, self._lose_outside)

    def _is_out(self) -> bool:
        return self._outside_process_fd >= 0

    def _lose_outside(self, _: int) -> None:
        """It has ended, and only a process outside of our namespaces can start another: the next command that comes."""
        self._drop_outside()
        self._want_outside(protocol.WAS_KILLED)

    def _want_outside(self, why: str) -> None:
        with open(f"{self._directory}/{protocol.LOST}", "w", encoding="utf-8") as file:
            file.write(why)

    def _drop_outside(self) -> None:
        if self._outside_process_fd >= 0:
            self._loop.forget(self._outside_process_fd)
            os.close(self._outside_process_fd)
            self._outside_process_fd = -1
        if self._outside_keep_fd >= 0:
            os.close(self._outside_keep_fd)
            self._outside_keep_fd = -1

    def _take_outside(self, fds: list[int], outside: tuple[int, int]) -> None:
        self._drop_outside()
        self._outside = outside
        self._outside_keep_fd = os.dup(fds[0]) if fds else -1
        _unlink(f"{self._directory}/{protocol.LOST}")
        self._watch_outside()
        if self._group is not None:
            self._group.take(outside[0])

    # Connections

    def _accept(self, _: int) -> None:
        try:
            client = self._listener.accept()
        except OSError:
            return
        self._clients[client.fileno()] = client
        self._loop.watch(client.fileno(), lambda _, it=client: self._serve(it))  # type: ignore[misc]

    def _serve(self, client: sockets.Channel) -> None:
        kind, message, fds = client.receive()
        if not kind:
            self._forget(client)
            return

        def done(error: BaseException | None, *answer: Any) -> None:
            for fd in fds:
                os.close(fd)
            reply = (protocol.DONE, *answer)
            if error is not None:
                reply = (protocol.ERROR, *processes.describe_error(error))
            try:
                client.send(*reply)
            except OSError:
                self._forget(client)

        self._answer(message, fds, done)

    def _forget(self, client: sockets.Channel) -> None:
        number = client.fileno()
        self._loop.forget(number)
        self._clients.pop(number, None)
        client.close()
        self._linger()

    def _answer(self, message: tuple[Any, ...], fds: list[int], done: Callable[..., None]) -> None:
        """Do what is asked, and call `done` with an error or None, and with the values of the answer."""
        name, *values = message
        changes = {
            protocol.ATTACH: lambda: self._members.attach(fds, *values),
            protocol.JOIN: lambda: self._members.join(*values),
            protocol.LEAVE: lambda: self._members.leave(*values),
            protocol.END: self._end_all,
        }
        answer: list[Any] = []
        try:
            if name in changes:
                self._work.add(changes[name](), done)
                return
            if name == protocol.MAP:
                _write_maps(*values)
            elif name == protocol.DETACH:
                self._members.let_go(*values)
            elif name == protocol.SPARE:
                answer.append(self._members.spare(*values))
            elif name == protocol.RENAME:
                self._members.rename(*values)
            elif name == protocol.UPDATE:
                self._members.set_servers(*values)
            elif name == protocol.OUTSIDE:
                self._take_outside(fds, *values)
            elif name == protocol.STATUS:
                answer.append(self._members.status())
            else:
                raise ValueError(f"unknown request '{name}'")
        except work.FAILURES as error:
            done(error)
        else:
            done(None, *answer)

    def _end_all(self) -> Steps:
        yield from self._members.detach_all()
        self._end()

    # The end

    def _linger(self) -> None:
        """Leave soon, unless somebody comes."""
        self._loop.set_timer("leave", _LINGER_SECONDS, self._leave_if_idle)

    def _leave_if_idle(self) -> None:
        """Leave when nobody is connected, unless a starter is at work, who would then find nobody."""
        if self._clients or self._members:
            return  # their end is the next occasion
        if self._work:
            self._linger()
            return
        lock = locks.FileLock(f"{self._directory}/{protocol.LOCK}")
        try:
            lock.acquire(wait=False)
        except locks.Busy:
            self._linger()
            return
        self._loop.turn(0)  # somebody may have connected just before
        if self._clients or self._members or self._work:
            lock.release()
            self._linger()
            return
        self._end()
        lock.remove()

    def _end(self) -> None:
        """End the outside helper, and serve nobody any more; somebody has the lock."""
        self._loop.cancel_timer("group")  # which may be due in this same turn, and would be left
        self._remove_socket()
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        if self._outside != _NO_PROCESS:
            processes.send_signal(*self._outside, signals.SIGKILL)
            processes.wait_until_gone(*self._outside)
        _unlink(f"{self._directory}/{protocol.LOST}")
        _unlink(f"{self._directory}/{protocol.OUTSIDE_PID}")
        if self._group is not None:
            self._group.leave()
        self._loop.stop()

    def _remove_socket(self) -> None:
        _unlink(f"{self._directory}/{protocol.SOCKET}")


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _write_maps(pid: int, uids: str, gids: str) -> None:
    """The id maps of a user namespace inside ours; we are the root of the one above it (user_namespaces(7))."""
    for kind, text in (("uid", uids), ("gid", gids)):
        fd = os.open(f"/proc/{pid}/{kind}_map", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
