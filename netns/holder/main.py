"""The holder: the process that owns a user's networks, from the first container on one to the last.

It is root of a user namespace with the caller's usual id maps, in which the user namespaces of the connected containers
are nested, and it has the network namespace with the bridges. Here it becomes that; what it does then is in serving.py.
"""

from __future__ import annotations

import os
import resource

from netns.holder import protocol
from pod.linux import namespaces, processes, signals, sockets, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from netns.holder.serving import Holder


def begin(channel_fd: int, earlier_fd: int = -1) -> NoReturn:
    """Be the holder whose starter has the other end of the channel; never returns.

    `earlier_fd` is the user namespace of a holder that was killed, in which containers go on.
    """
    _hold(sockets.from_fd(channel_fd), earlier_fd, is_prepared=False)


def go_on(channel_fd: int) -> NoReturn:
    """As `begin`, in a forked process that is in its user and network namespaces, with ids mapped; never returns."""
    import gc

    gc.enable()
    os.setsid()
    os.chdir("/")
    _hold(sockets.from_fd(channel_fd), -1, is_prepared=True)


def _hold(channel: sockets.Channel, earlier_fd: int, *, is_prepared: bool) -> NoReturn:
    try:
        holder = _prepare(channel, earlier_fd, is_prepared=is_prepared)
    except BaseException as error:  # noqa: BLE001  told to the starter; the process ends here
        try:
            channel.send(protocol.ERROR, *processes.describe_error(error))
        except OSError:
            pass  # nobody is left to be told
        processes.leave(1)
    channel.close()
    try:
        holder.run()
    finally:
        processes.leave(0)


def _prepare(channel: sockets.Channel, earlier_fd: int, *, is_prepared: bool) -> Holder:
    processes.close_descriptors({0, 1, 2, channel.fileno(), max(earlier_fd, 0)})
    syscalls.set_command_line("pod networks")
    # Each container takes two descriptors, each connection by a published port six; 1024 are usual.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signals.ignore([signals.SIGINT, signals.SIGTERM, signals.SIGHUP, signals.SIGQUIT])
    if earlier_fd >= 0:
        syscalls.setns(earlier_fd, namespaces.CLONE_NEWUSER)
        os.close(earlier_fd)
    elif not is_prepared:
        syscalls.unshare(namespaces.CLONE_NEWUSER)
    channel.send(protocol.UNSHARED)
    # Here, while the starter has two programs write our id maps.
    from netns.holder import bridges
    from netns.holder.serving import Holder

    (directory, cgroup, networks), _ = _expect(channel, protocol.MAPPED)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # pasta and containers come by our /proc files
    if not is_prepared:
        syscalls.unshare(namespaces.CLONE_NEWNET)
    channel.send(protocol.NAMED)
    bridges.prepare()
    holder = Holder(directory, cgroup)
    holder.begin()
    channel.send(protocol.LISTENING)
    # While the outside helper starts, and the first container is made.
    holder.make(networks)
    return holder


def _expect(channel: sockets.Channel, name: str) -> tuple[list[Any], list[int]]:
    kind, message, fds = channel.receive()
    if not kind or message[0] != name:
        processes.leave(1)  # the starter was killed
    return list(message[1:]), fds
