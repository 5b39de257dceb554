"""Begin a monitor before the command knows what it will start.

Reading a command line takes a Python program longer than the kernel needs to make namespaces, and there are two
processors. So the entry process forks as its first act; the child imports what a monitor needs and prepares a user
namespace with the usual id maps, while the parent imports what a command needs. If no container is to be started after
all, the child reads the end of its channel and leaves. What both will import is imported before the fork, once.

A container that joins the namespaces of another one has no use for new ones, so that its monitor prepares nothing,
unless it turns out that the other one has to be started first: then it becomes two monitors (`_second`).
"""

from __future__ import annotations

import _thread
import errno
import os
import sys

from pod.base.paths import HOLDER_SOCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.linux import sockets


# Loaded by every command that starts a container and by every monitor.
SHARED = (
    "netns.backends",
    "pod.base.faults",
    "pod.base.files",
    "pod.base.locks",
    "pod.base.plainjson",
    "pod.linux.capabilities",
    "pod.linux.cgroups",
    "pod.linux.fresh",
    "pod.linux.idmap",
    "pod.linux.interfaces",
    "pod.linux.processes",
    "pod.linux.sockets",
    "pod.spec.monitor",
    "pod.spec.restart",
    "pod.spec.users",
)


# And by a monitor that has to start the holder of networks, and the process that becomes it.
_OF_HOLDER = (
    "netns.backends.networks",
    "netns.backends.slirp4netns",
    "netns.holder.main",
    "netns.holder.outside",
    "netns.holder.serving",
    "netns.holder.starting",
)
_LASTING = {"--detach", "--name", "--publish"}  # options of containers that will be on a network


def prefork(*, prepares: bool = True) -> sockets.Channel:
    """Fork a waiting monitor; the channel to it. The caller has done nothing else yet and has one thread.

    In a unit of systemd a thread begins to move both to where such processes belong. With `prepares` it makes
    namespaces meanwhile; else only when it is split.
    """
    for name in SHARED:
        __import__(name)
    from pod.linux import sockets

    ours, theirs = sockets.pair()
    orphan = _Orphan() if "NOTIFY_SOCKET" in os.environ else None
    if orphan.is_this() if orphan else os.fork() == 0:
        ours.close()
        _become_monitor(theirs, prepares=prepares)
    if orphan:
        ours.find_process = orphan.number
    theirs.close()
    if "PODMAN_SYSTEMD_UNIT" in os.environ:
        from pod.linux import unit_group

        unit_group.begin_to_make_room(ours.find_process)
    return ours


def _second(channel: sockets.Channel, other: sockets.Channel) -> bool:
    """What a monitor does that is split: fork the second one, which gets `other`; whether we are that."""
    if not (orphan := _Orphan()).is_this():
        orphan.number()
        other.close()
        return False
    channel.close()
    os.setsid()
    return True


class _Orphan:
    """A process that is forked here, and whose parent ends at once, so that it is the service manager's.

    systemd does not wait for a main process that was not its child when it was told of it: at the end of the service,
    a monitor that is about to leave would be killed, and the service would have failed (main_pid_alien of its sources).
    Two forks take 2 ms, for which nobody waits who does not ask for the number.
    """

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._number = 0
        self._reading, writing = os.pipe()
        self._middle = os.fork()
        if self._middle:
            os.close(writing)
            return
        try:
            child = os.fork()
        except OSError:
            os._exit(1)
        if child:
            os.write(writing, b"%d" % child)
            os._exit(0)
        os.close(self._reading)
        os.close(writing)

    def is_this(self) -> bool:
        """Whether the caller is the new process."""
        return self._middle == 0

    def number(self) -> int:
        """Its number, as soon as it has one; any thread may ask. Raises BlockingIOError if it could not be made."""
        with self._lock:
            if self._reading >= 0:
                self._number = int(os.read(self._reading, 32) or 0)
                os.close(self._reading)
                self._reading = -1
                os.waitpid(self._middle, 0)
        if not self._number:
            raise BlockingIOError(errno.EAGAIN, "no process can be made for the monitor")
        return self._number


def _become_monitor(channel: sockets.Channel, *, prepares: bool) -> None:
    try:
        os.setsid()
        _leave_streams()
        run(channel, prepares=prepares)
    finally:
        os._exit(1)


def run(channel: sockets.Channel, *, prepares: bool = True) -> None:
    """Be a monitor on `channel`; never returns. With `prepares`, namespaces are made before the order is there."""
    from pod.linux import processes, sockets, syscalls
    from pod.monitor import main, starting
    from pod.spec import monitor as protocol

    processes.close_descriptors({0, 1, 2, channel.fileno()})
    if prepares and _may_hold(sys.argv[1:]):
        for name in _OF_HOLDER:
            __import__(name)
    if "PODMAN_SYSTEMD_UNIT" in os.environ:
        from pod.monitor import notify  # noqa: F401  what it will need, while nobody waits for it
    prepared = starting.Prepared()
    if prepares:
        prepared.make_namespaces()
    kind, message, fds = channel.receive()
    if kind and message[0] == protocol.SPLIT:
        if _second(channel, other := sockets.from_fd(fds[0])):
            channel = other
        else:
            prepared.make_namespaces()
        kind, message, fds = channel.receive()
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    if kind and message[0] in (protocol.NETWORK, protocol.HOLDER):
        if message[0] == protocol.NETWORK:
            prepared.connect(message[1])
        else:
            prepared.open_networks(channel.fileno(), *message[1:])
        kind, message, fds = channel.receive()
    if not kind or message[0] == protocol.CANCEL:
        prepared.abandon()
        processes.leave(0)
    main.main(channel, message[0], fds, prepared)


def _may_hold(words: list[str]) -> bool:
    """Whether the container is likely to be the first on a network. A guess: all that depends on it is time."""
    directory = f"{os.environ.get('XDG_RUNTIME_DIR')}/pod/networks"
    if os.path.exists(f"{directory}/{HOLDER_SOCKET}") or not os.path.isdir(directory):
        return False  # another one was the first, or there has never been one
    return words[:1] == ["start"] or any(
        word in _LASTING or (word[:1] == "-" != word[1:2] and ("d" in word or "p" in word))
        for word in words
    )


def _leave_streams() -> None:
    """Whoever reads the command's output must see its end while the container goes on."""
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    if null > 2:
        os.close(null)


def resume(channel_fd: int) -> None:
    """Be a monitor on an inherited channel; never returns."""
    from pod.linux import sockets

    run(sockets.from_fd(channel_fd))
