"""Begin a monitor before the command knows what it will start.

Reading a command line takes a Python program longer than the kernel needs to make namespaces, and there are two
processors. So the entry process forks as its first act; the child imports what a monitor needs and prepares a user
namespace with the usual id maps, while the parent imports what a command needs. If no container is to be started after
all, the child reads the end of its channel and leaves.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.linux import sockets


def prefork() -> sockets.Channel:
    """Fork a waiting monitor; the channel to it. The caller has done nothing else yet and has one thread."""
    from pod.linux import sockets

    ours, theirs = sockets.pair()
    if os.fork() == 0:
        ours.close()
        _become_monitor(theirs)
    theirs.close()
    return ours


def _become_monitor(channel: sockets.Channel) -> None:
    try:
        os.setsid()
        _leave_streams()
        executable = _path_of_own_program()
        if os.access(executable, os.W_OK):
            _reexecute(executable, channel.fileno())
        run(channel)
    finally:
        os._exit(1)


def run(channel: sockets.Channel) -> None:
    """Be a monitor on `channel`; never returns."""
    from pod.linux import idmap, processes
    from pod.monitor import main

    processes.close_descriptors({0, 1, 2, channel.fileno()})
    main.main(channel, idmap.default_maps())


def _leave_streams() -> None:
    """Whoever reads the command's output must see its end while the container goes on."""
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    if null > 2:
        os.close(null)


def _path_of_own_program() -> str:
    return os.readlink("/proc/self/exe")


def _reexecute(executable: str, channel_fd: int) -> None:
    """Go on in a sealed copy of the interpreter in memory.

    A container's init is a fork of the monitor, so for a moment the container's own files are opened by a process whose
    /proc/self/exe is the interpreter, and an image can have its command be "#!/proc/self/exe" (CVE-2019-5736). When the
    interpreter's file belongs to the caller, who is root in the container, it could be overwritten from there; the copy
    cannot.
    """
    from pod.linux import fresh, sealed

    os.set_inheritable(channel_fd, True)
    sealed.execute(executable, fresh.command("pod.monitor.prefork", "resume", channel_fd)[1:])


def resume(channel_fd: int) -> None:
    """Be a monitor on an inherited channel; never returns."""
    from pod.linux import sockets

    run(sockets.from_fd(channel_fd))
