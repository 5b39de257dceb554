"""The start of a holder and of its outside helper, the one process of the other's namespaces, beside other work.

A user namespace nested in the holder's can be made from the moment its process is chosen, while that becomes a holder.
It listens before it has networks or reaches the world: whoever asks for a cable waits for the bridge, which is made
first.
"""

from __future__ import annotations

import fcntl
import os
import select

from netns.errors import NetworkError
from netns.holder import client, group, outside, protocol
from pod.linux import fresh, idmap, processes, sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from netns.holder.bridges import Network
    from pod.base.locks import FileLock
    from pod.linux.idmap import IdMap

    class Prepared(Protocol):
        """A process that waits in new user and network namespaces."""

        pid: int
        maps: tuple[IdMap, IdMap] | None

        def become_holder(self, channel: sockets.Channel) -> int:
            """Have it go on as a holder that is being started (main.go_on); its number, to be reaped."""


_NS_GET_PARENT = 0xB702


class Starting:
    """A process that becomes a holder, and its outside helper: first `listen`, then `finish`; or else `abandon`.

    `namespace_fd` is its user namespace, until `listen` has returned; -1 where that is to be awaited. `lock` is held
    until one of the three has failed or the last has returned.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        networks: list[Network],
        prepared: Prepared | None,
        lock: FileLock,
    ) -> None:
        self._settings = settings
        self._lock = lock
        self._helper: outside.Outside | None = None
        self.namespace_fd = -1
        self._ours, self._pid, is_mapped = self._fork(prepared)
        try:
            ask_back(self._ours, protocol.UNSHARED)
            if not is_mapped:
                idmap.map_ids(self._pid, *settings["maps"])
            self._ours.send(protocol.MAPPED, settings["directory"], settings["cgroup"], networks)
        except BaseException as error:
            self._fail(error)
            raise

    def listen(self) -> sockets.Channel:
        """Wait until it listens; a connection to it, which the caller closes. Raises what keeps it from that."""
        try:
            ask_back(self._ours, protocol.NAMED)
            self._helper = outside.begin(self._settings, self._pid)
            ask_back(self._ours, protocol.LISTENING)
            channel = client.connect(self._settings["directory"])
            if channel is None:
                raise client.lost()
        except BaseException as error:
            try:
                self._fail(error)
            finally:
                self._lock.release()
            raise
        self._let_go()
        return channel

    def abandon(self) -> None:
        """Nobody needs it any more, and it does not listen yet."""
        self._give_up()
        self._let_go()
        self._lock.release()

    def is_out(self, until_fd: int) -> bool:
        """Wait until the outside helper has something to say; False where `until_fd` can be read first."""
        assert self._helper is not None
        news_fd = self._helper.news_fd
        ready, _, _ = select.select([news_fd, until_fd], [], [])
        return news_fd in ready

    def finish(self, channel: sockets.Channel) -> None:
        """Wait until the world is reached, and let others come. Raises NetworkError; then nothing is left of it."""
        helper = self._helper
        assert helper is not None
        try:
            helper.wait()
            if self._settings["scope"]:
                group.ask_for_scope(self._settings["scope"], [self._pid, helper.process[0]])
            fds = (helper.keep_fd,) if helper.keep_fd >= 0 else ()
            client.ask(channel, protocol.OUTSIDE, helper.process, fds=fds)
            helper.let_go()
        except BaseException:
            self._give_up()
            raise
        finally:
            self._lock.release()

    def _fork(self, prepared: Prepared | None) -> tuple[sockets.Channel, int, bool]:
        """The process that will hold: the channel to it, its number, and whether its ids are mapped."""
        settings = self._settings
        earlier = _earlier_namespace(settings.get("container_pid", 0))
        ours, theirs = sockets.pair()
        try:
            if prepared is not None and prepared.maps == settings["maps"] and earlier is None:
                # Now, since its /proc files are closed for a moment when it takes its ids.
                path = f"/proc/{prepared.pid}/ns/user"
                self.namespace_fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                return ours, prepared.become_holder(theirs), True
            return ours, _spawn(theirs, earlier), earlier is not None
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            if earlier is not None:
                os.close(earlier)

    def _fail(self, error: BaseException) -> None:
        """Give up, and raise what a holder that has ended said before, which made everything else fail."""
        self._give_up()
        try:
            kind, message, _ = self._ours.receive()
        finally:
            self._let_go()
        if kind and message[0] == protocol.ERROR:
            raise processes.rebuild_error(message[1], message[2]) from error

    def _let_go(self) -> None:
        self._ours.close()
        if self.namespace_fd >= 0:
            os.close(self.namespace_fd)
            self.namespace_fd = -1

    def _give_up(self) -> None:
        if self._helper is not None:
            self._helper.end()
        processes.kill_and_reap(self._pid)
        client.remove_files(self._settings["directory"])


def _spawn(channel: sockets.Channel, earlier: int | None) -> int:
    """A holder in a fresh interpreter; `earlier` is the user namespace it joins instead of a new one."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    kept = (channel.fileno(), *(() if earlier is None else (earlier,)))
    try:
        return processes.spawn(
            fresh.command("netns.holder.main", "begin", *kept),
            streams=(null, null, null),
            keep=kept,
            directory="/",
            new_session=True,
        )
    finally:
        os.close(null)


def _earlier_namespace(pid: int) -> int | None:
    """The user namespace that a running container's is nested in, ioctl_ns(2); None without such a container."""
    if not pid:
        return None
    try:
        fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None  # it has ended meanwhile
    try:
        return fcntl.ioctl(fd, _NS_GET_PARENT)
    finally:
        os.close(fd)


def ask_back(channel: sockets.Channel, expected: str) -> None:
    """Wait for the step of the new holder that is expected. Raises what it reports instead."""
    kind, message, _ = channel.receive()
    if not kind:
        raise client.lost()
    if message[0] == protocol.ERROR:
        raise processes.rebuild_error(message[1], message[2])
    if message[0] != expected:
        raise NetworkError(f"the holder of the networks said '{message[0]}', not '{expected}'")
