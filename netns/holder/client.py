"""A connection to the holder of the caller's networks, which is started when it does not run.

One lock says who may start or end a holder: a starter holds it until the new one reaches the world (starting.py), the
holder itself while it looks whether anybody is left and leaves.
"""

from __future__ import annotations

import os
import time

from netns import release
from netns.errors import HolderGone, NetworkError
from netns.holder import group, protocol
from pod.base import locks
from pod.linux import processes, sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netns.holder.bridges import Network
    from netns.holder.outside import Outside
    from netns.holder.starting import Prepared, Starting

    Reply = tuple[Any, ...]

_BUSY = "busy"  # EBUSY, as the programs have it from strerror(3)
_BUSY_SECONDS = 20.0  # it only bounds a failure: who is to go may have to wait for a processor
_PAUSE_SECONDS = 0.02


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


def lost() -> HolderGone:
    """The error for a holder that ended while it was needed."""
    return HolderGone("the process that holds the networks has ended", hint="run the command again")


def connect(directory: str) -> sockets.Channel | None:
    """A connection to the holder that runs; None when there is none. The caller closes it."""
    try:
        return sockets.connect(directory, protocol.SOCKET)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


def ensure(settings: dict[str, Any], networks: list[Network] | None = None) -> sockets.Channel:
    """A connection to the holder, which is started if need be, and reaches the world. The caller closes it.

    The arguments are those of `begin`. Raises NetworkError, IdMapError.
    """
    started = begin(settings, networks)
    if isinstance(started, sockets.Channel):
        return started
    channel = started.listen()
    try:
        started.finish(channel)
    except BaseException:
        channel.close()
        raise
    return channel


def begin(
    settings: dict[str, Any],
    networks: list[Network] | None = None,
    prepared: Prepared | None = None,
) -> sockets.Channel | Starting:
    """A connection to the holder; if it has to be started, what becomes one.

    `networks` are those that will be needed first. A holder is made of `prepared` if it fits, which spares the start
    of an interpreter and the maps.

    `settings`: the holder's directory, its id maps, its cgroup or the scope to ask for, the outside helper's program
    and options; "container_pid" of one that runs though its holder was killed. The caller closes the connection.
    Raises NetworkError, IdMapError.
    """
    directory = settings["directory"]
    lock = locks.FileLock(f"{directory}/{protocol.LOCK}")
    lock.acquire()
    is_kept = False
    try:
        channel = connect(directory)
        if channel is None:
            from netns.holder.starting import Starting

            release.release_lost(directory)  # of one that was killed
            group.remove_lost(directory)
            starting = Starting(settings, networks or [], prepared, lock)
            is_kept = True
            return starting
        if has_lost_outside(directory):
            _replace_outside(settings, channel)
        return channel
    finally:
        if not is_kept:
            lock.release()


def _replace_outside(settings: dict[str, Any], channel: sockets.Channel) -> None:
    """Start another outside helper for a holder whose own has ended."""
    try:
        helper = _outside_of(settings, channel.peer())
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


def _outside_of(settings: dict[str, Any], pid: int) -> Outside:
    """A helper that has connected the holder `pid`.

    That of a command that was killed goes when it sees that its pipe has ended, and has the interface until then.
    """
    from netns.holder import outside

    last = time.monotonic() + _BUSY_SECONDS
    while True:
        helper = outside.begin(settings, pid)
        try:
            helper.wait()
            return helper
        except BaseException as error:
            helper.end()
            is_busy = isinstance(error, NetworkError) and _BUSY in error.message
            if not is_busy or time.monotonic() >= last:
                raise
        time.sleep(_PAUSE_SECONDS)


def has_lost_outside(directory: str) -> bool:
    """Whether the holder that runs has no outside helper; whoever asks has the lock, so that none is starting."""
    return os.path.exists(f"{directory}/{protocol.LOST}")


def was_outside_killed(directory: str) -> bool:
    """Whether the holder that runs had an outside helper, which has ended."""
    try:
        with open(f"{directory}/{protocol.LOST}", encoding="utf-8") as file:
            return file.read() == protocol.WAS_KILLED
    except FileNotFoundError:
        return False


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
    except HolderGone:
        pass  # nor has the next one, which starts with what is known then
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
        remove_files(directory)
        lock.remove()
        return True
    finally:
        lock.release()


def remove_files(directory: str) -> None:
    """Remove what a holder that is not there any more had in its directory, but for the lock, which the caller has."""
    for name in (protocol.OUTSIDE_PID, protocol.SOCKET, protocol.LOST):
        try:
            os.unlink(f"{directory}/{name}")
        except FileNotFoundError:
            continue
