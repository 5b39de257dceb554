"""A root file system that the program fuse-overlayfs makes, for hosts where the kernel mounts no overlay for users.

The program runs in the container's user namespace, whose ids it has to know, but outside of its PID namespace, and in a
mount namespace of its own: there it does not keep the container's mounts alive. It gets /dev/fuse as an open
descriptor, on which init mounts (libfuse takes "/dev/fd/N" for a mount point that is mounted already). So it ends by
itself when the last process of the container has ended and the kernel lets go of the mount, whoever was killed before.
See fuse(4), fuse-overlayfs(1).
"""

from __future__ import annotations

import errno
import os

from pod.base.errors import PodError
from pod.linux import idmap, mounts, processes, signals, sockets, syscalls
from pod.linux.namespaces import CLONE_NEWNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_DEVICE = "/dev/fuse"
_MOST_WORDS = 2000
_PLACE = "/tmp"  # a directory that every user can pass, covered in the program's own mount namespace only


class Server:
    """The program, started but waiting. Pass it to `mount`, or leave: it ends when the last who has it does."""

    def __init__(self, pid: int, device_fd: int, ready_fd: int, go_fd: int, words_fd: int) -> None:
        self.pid = pid
        self._ready_fd = ready_fd
        self.started = processes.start_time(pid) or 0
        self._device_fd = device_fd
        self._go_fd = go_fd
        self._words_fd = words_fd

    def mount(self, target: str) -> None:
        """Mount the file system on a directory of this mount namespace. Raises PodError with the program's words."""
        # Not before it is in its own mount namespace, or it would keep the new mount alive for good.
        is_ready = os.read(self._ready_fd, 1) == b"r"
        os.close(self._ready_fd)
        if not is_ready:
            raise _failure(self._words_fd)
        _mount(self._device_fd, target)
        os.write(self._go_fd, b"g")
        os.close(self._go_fd)
        os.close(
            self._device_fd
        )  # with the program's own, the last one: its end breaks the connection
        _wait_for_answer(target, self._words_fd)
        os.close(self._words_fd)


class Apart:
    """The program in the usual user namespace, started by `serve_apart`; as Server for whoever mounts."""

    def __init__(self, channel_fd: int, words_fd: int) -> None:
        self._channel = sockets.from_fd(channel_fd)
        self._words_fd = words_fd
        self._device_fd = _open_device()

    def mount(self, target: str) -> None:
        """Mount the file system and hand it over. The ids that the program names are then those of the container."""
        _mount(self._device_fd, target)
        self._channel.send(_GO, fds=(self._device_fd,))
        self._channel.close()
        os.close(self._device_fd)
        _wait_for_answer(target, self._words_fd)
        os.close(self._words_fd)


_GO = "go"


def serve_apart(description: dict[str, Any]) -> tuple[int, tuple[int, int]]:
    """Start the program for an `apart` root file system; its pid, and the two descriptors for Apart.

    The layers have the owners of the usual id map, and the container has another map. So the program runs in a user
    namespace with the usual map, where an id means what it means in the image, and the mount belongs to the container's
    user namespace, where the kernel takes the ids that the program names for the container's. The kernel wants the
    device opened there, too. It ends when nobody has the other end of the channel, or the mount.
    """
    ours, theirs = sockets.pair()
    words_fd = os.memfd_create("fuse-overlayfs", os.MFD_CLOEXEC)

    def serve() -> NoReturn:
        null = os.open("/dev/null", os.O_RDWR)
        for number, fd in ((0, null), (1, words_fd), (2, words_fd)):
            os.dup2(fd, number)
        os.setsid()
        signals.restore_defaults()
        kind, _, fds = theirs.receive()
        if not kind:
            os._exit(0)  # nothing is to be mounted any more
        os.set_inheritable(fds[0], True)
        program = description["program"]
        environment = processes.clean_environment()
        os.execve(program[0], [*program, "-f", f"/dev/fd/{fds[0]}"], environment)

    child = idmap.start_inside(
        serve,
        what="serve the root file system",
        keep=(theirs.fileno(), words_fd),
        namespaces=CLONE_NEWNS,
    )
    theirs.close()
    os.close(child.result_fd)  # it says in the other file what is wrong
    return child.pid, (ours.detach(), words_fd)


def start(description: dict[str, Any], *, closed_sources: bool) -> Server | None:
    """Start the program for a root file system of kind "fuse-overlayfs"; None for other kinds.

    The caller is in the container's user namespace and not yet in its PID namespace. With `closed_sources`, root there
    may not pass through the caller's directories, and this process has not become root yet.
    """
    if description["kind"] != "fuse-overlayfs":
        return None
    device_fd = _open_device()
    words_fd = os.memfd_create("fuse-overlayfs", os.MFD_CLOEXEC)
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()
    pid = processes.fork_raw()
    if pid == 0:
        fds = (device_fd, ready_write, go_read, words_fd)
        _serve(description, fds, closed_sources=closed_sources)
    os.close(ready_write)
    os.close(go_read)
    return Server(pid, device_fd, ready_read, go_write, words_fd)


def _open_device() -> int:
    try:
        return os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise PodError(
            f"'{_DEVICE}' cannot be opened: {error.strerror}",
            hint="pod --storage-driver overlay, or copy, does without it",
        ) from error


def _mount(device_fd: int, target: str) -> None:
    data = f"fd={device_fd},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    syscalls.mount("fuse-overlayfs", target, "fuse.fuse-overlayfs", syscalls.MS_NOATIME, data)


def _wait_for_answer(target: str, words_fd: int) -> None:
    try:
        os.statvfs(target)  # waits until the program answers
    except OSError as error:
        if error.errno not in {errno.ENOTCONN, errno.ECONNABORTED}:
            raise
        raise _failure(words_fd) from error


def _failure(words_fd: int) -> PodError:
    words = os.pread(words_fd, _MOST_WORDS, 0).decode("utf-8", "replace").split("\n")
    return PodError(
        f"the root file system of the container cannot be mounted: fuse-overlayfs said '{words[0]}'",
        hint="pod --storage-driver overlay, or copy, does without it",
    )


def _serve(
    description: dict[str, Any], fds: tuple[int, int, int, int], *, closed_sources: bool
) -> NoReturn:
    """In the child: wait until the file system is mounted, then be the program; never returns."""
    device_fd, ready_fd, go_fd, words_fd = fds
    try:
        null = os.open("/dev/null", os.O_RDWR)
        for number, fd in ((0, null), (1, words_fd), (2, words_fd)):
            os.dup2(fd, number)
        processes.close_descriptors({0, 1, 2, device_fd, ready_fd, go_fd})
        os.setsid()
        signals.restore_defaults()
        syscalls.unshare(CLONE_NEWNS)
        mounts.set_propagation("/", "rslave")
        program = list(description["program"])
        if closed_sources:
            program = _moved(description, program)
        else:
            idmap.become_root()
        os.write(ready_fd, b"r")
        if os.read(go_fd, 1) == b"g":
            os.set_inheritable(device_fd, True)
            environment = processes.clean_environment()
            os.execve(program[0], [*program, "-f", f"/dev/fd/{device_fd}"], environment)
    except BaseException as error:  # noqa: BLE001  the process ends here
        os.write(2, f"{error}\n".encode("utf-8", "replace"))
    finally:
        os._exit(1)


def _moved(description: dict[str, Any], program: list[str]) -> list[str]:
    """Become root, who may not pass through the caller's directories; the program's words with other names of them."""
    own, upper = os.path.split(description["upper"])
    own_of_work, work = os.path.split(description["work"])
    if own != own_of_work:
        raise PodError("upper and work directory are not in one directory")
    wanted = [*description["lowers"], own]
    held = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in wanted]
    syscalls.mount("tmpfs", _PLACE, "tmpfs", 0, "mode=0755,uid=0,gid=0,size=64k")
    idmap.become_root()
    places = []
    for number, fd in enumerate(held):
        places.append(f"{_PLACE}/{number}")
        os.mkdir(places[-1])
        mounts.bind(mounts.fd_path(fd), places[-1])
        os.close(fd)
    # The last one in one piece: files cannot be moved from one mount to another.
    *lowers, own = places
    words = f"lowerdir={':'.join(lowers)},upperdir={own}/{upper},workdir={own}/{work}"
    return [program[0], "-o", words]
