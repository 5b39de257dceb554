"""A connection to the holder of the caller's networks, which is started when it does not run.

One lock says who may start or end a holder: a starter holds it until the new one listens, the holder itself while it
looks whether anybody is left and leaves.
"""

from __future__ import annotations

import fcntl
import os

from netns import release
from netns.errors import NetworkError
from netns.holder import group, outside, protocol
from pod.base import locks
from pod.linux import fresh, idmap, processes, sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from netns.holder.bridges import Network
    from pod.linux.idmap import IdMap

    Reply = tuple[Any, ...]

    class Prepared(Protocol):
        """A process that waits in new user and network namespaces."""

        maps: tuple[IdMap, IdMap] | None

        def become_holder(self, channel: sockets.Channel) -> int:
            """Have it go on as a holder that is being started (main.go_on); its number, to be reaped."""


_NS_GET_PARENT = 0xB702


def ask(channel: sockets.Channel, *request: Any, fds: tuple[int, ...] = ()) -> Reply:
    """Send a request and wait for the answer. Raises what the holder found wrong, NetworkError when it has gone."""
    try:
        channel.send(*request, fds=fds)
        kind, message, _ = channel.receive()
    except OSError as error:
        raise lost() from error
    if not kind:
        raise lost()
    name, *values = message
    if name == protocol.ERROR:
        raise processes.rebuild_error(values[0], values[1])
    return tuple(values)


def lost() -> NetworkError:
    """The error for a holder that ended while it was needed."""
    return NetworkError(
        "the process that holds the networks has ended", hint="run the command again"
    )


def connect(directory: str) -> sockets.Channel | None:
    """A connection to the holder that runs; None when there is none. The caller closes it."""
    try:
        return sockets.connect(directory, protocol.SOCKET)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


def ensure(
    settings: dict[str, Any],
    networks: list[Network] | None = None,
    prepared: Prepared | None = None,
) -> sockets.Channel:
    """A connection to the holder, which is started if need be. The caller closes it.

    `networks` are those that will be needed first. A holder is made of `prepared` if it fits, which spares the start
    of an interpreter and the maps.

    `settings`: the holder's directory, its id maps, its cgroup or the scope to ask for, the outside helper's program
    and options; "container_pid" of one that runs though its holder was killed. Raises NetworkError, IdMapError.
    """
    directory = settings["directory"]
    with locks.FileLock(f"{directory}/{protocol.LOCK}"):
        channel = connect(directory)
        if channel is None:
            release.release_lost(directory)  # of one that was killed
            group.remove_lost(directory)
            _start(settings, networks or [], prepared)
            channel = connect(directory)
        elif has_lost_outside(directory):
            _replace_outside(settings, channel)
    if channel is None:
        raise lost()
    return channel


def _replace_outside(settings: dict[str, Any], channel: sockets.Channel) -> None:
    """Start another outside helper for a holder whose own has ended."""
    try:
        helper = outside.start(settings, channel.peer())
        try:
            fds = (helper.keep_fd,) if helper.keep_fd >= 0 else ()
            ask(channel, protocol.OUTSIDE, helper.process, fds=fds)
        except BaseException:
            helper.end()
            raise
    except BaseException:
        channel.close()
        raise
    helper.let_go()


def has_lost_outside(directory: str) -> bool:
    """Whether the holder that runs has no outside helper any more."""
    return os.path.exists(f"{directory}/{protocol.LOST}")


def detach(directory: str, container_id: str) -> None:
    """Disconnect a container; fine when nobody holds networks any more."""
    channel = connect(directory)
    if channel is None:
        return
    try:
        ask(channel, protocol.DETACH, container_id)
    except NetworkError:
        pass  # it has ended meanwhile
    finally:
        channel.close()


def tell(directory: str, *request: Any) -> None:
    """Tell of a change; when there is no holder, nobody has to know."""
    channel = connect(directory)
    if channel is None:
        return
    try:
        ask(channel, *request)
    finally:
        channel.close()


def end(directory: str) -> None:
    """End the holder that runs, whoever is connected, and wait for its end."""
    lock = locks.FileLock(f"{directory}/{protocol.LOCK}")
    try:
        lock.acquire()
    except FileNotFoundError:
        return  # there was never one
    try:
        channel = connect(directory)
        if channel is not None:
            try:
                ask(channel, protocol.END)
                channel.receive()
            finally:
                channel.close()
        else:
            release.release_lost(directory)  # of one that was killed
            group.remove_lost(directory)
        lock.remove()
    finally:
        lock.release()


def clear_up(directory: str) -> bool:
    """End what a killed holder has left; whether there was one. Somebody who starts another one now does it himself."""
    lock = locks.FileLock(f"{directory}/{protocol.LOCK}")
    try:
        lock.acquire(wait=False)
    except locks.Busy:
        return False
    try:
        channel = connect(directory)
        if channel is not None:
            channel.close()
            return False
        release.release_lost(directory)
        group.remove_lost(directory)
        for name in (protocol.OUTSIDE_PID, protocol.SOCKET, protocol.LOST):
            try:
                os.unlink(f"{directory}/{name}")
            except FileNotFoundError:
                continue
        lock.remove()
        return True
    finally:
        lock.release()


def _start(settings: dict[str, Any], networks: list[Network], prepared: Prepared | None) -> None:
    """Start a holder and its outside helper; on failure nothing of them is left."""
    maps: tuple[IdMap, IdMap] = settings["maps"]
    earlier = _earlier_namespace(settings.get("container_pid", 0))
    ours, theirs = sockets.pair()
    try:
        if prepared is not None and prepared.maps == maps and earlier is None:
            pid = prepared.become_holder(theirs)
            is_mapped = True
        else:
            pid = _spawn(theirs, earlier)
            is_mapped = earlier is not None
    finally:
        theirs.close()
        if earlier is not None:
            os.close(earlier)
    helper: outside.Outside | None = None
    try:
        ask_back(ours, protocol.UNSHARED)
        if not is_mapped:
            idmap.map_ids(pid, *maps)
        ours.send(protocol.MAPPED, settings["directory"], settings["cgroup"], networks)
        ask_back(ours, protocol.NAMED)
        helper = outside.start(settings, pid)
        fds = (helper.keep_fd,) if helper.keep_fd >= 0 else ()
        ours.send(protocol.OUTSIDE, helper.process, fds=fds)
        if settings["scope"]:
            group.ask_for_scope(settings["scope"], [pid, helper.process[0]])
        ask_back(ours, protocol.LISTENING)
    except BaseException as error:
        if helper is not None:
            helper.end()
        processes.kill_and_reap(pid)
        _raise_reported(ours, error)
        raise
    finally:
        ours.close()
    helper.let_go()


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


def _raise_reported(channel: sockets.Channel, error: BaseException) -> None:
    """Raise what a holder that has ended said before, which made everything else fail."""
    kind, message, _ = channel.receive()
    if kind and message[0] == protocol.ERROR:
        raise processes.rebuild_error(message[1], message[2]) from error


def ask_back(channel: sockets.Channel, expected: str) -> None:
    """Wait for the step of the new holder that is expected. Raises what it reports instead."""
    kind, message, _ = channel.receive()
    if not kind:
        raise lost()
    if message[0] == protocol.ERROR:
        raise processes.rebuild_error(message[1], message[2])
    if message[0] != expected:
        raise NetworkError(f"the holder of the networks said '{message[0]}', not '{expected}'")
