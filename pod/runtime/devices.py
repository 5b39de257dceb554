"""Devices of a container: nodes bound from the host, the links of /dev, the loopback interface, the terminal.

An ordinary user cannot make device nodes, in no namespace, so the host's are bound. See the OCI runtime specification,
"Default Devices" and "Default Filesystems".
"""

from __future__ import annotations

import errno
import os
import stat

from pod.base.errors import PodError
from pod.linux import inroot, interfaces, mounts, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "core": "/proc/kcore",
    "ptmx": "pts/ptmx",
}


def create(root_fd: int, devices: list[dict[str, Any]]) -> None:
    """Bind the host's node for each of `linux.devices`; `pod_source` names it when it has another path there."""
    for device in devices:
        path = device["path"]
        source = device.get("pod_source", path)
        try:
            target_fd = inroot.make_file(root_fd, path)
            try:
                mounts.bind(source, mounts.fd_path(target_fd), recursive=False)
            finally:
                os.close(target_fd)
        except OSError as error:
            raise PodError(
                f"device '{source}' cannot be given to the container: {error.strerror}",
                hint=f"ls -l {source}",
            ) from error


def create_links(root_fd: int) -> None:
    """The symbolic links that programs expect in /dev; those that the image made itself stay."""
    directory_fd = inroot.open_path(root_fd, "dev")
    try:
        for name, target in _LINKS.items():
            try:
                os.symlink(target, name, dir_fd=directory_fd)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno != errno.EROFS:
                    raise
    finally:
        os.close(directory_fd)


def attach_terminal(
    slave: str, uid: int, size: dict[str, int] | None, *, console: bool = True
) -> None:
    """Make the terminal `slave` the controlling one, the three streams of this process, and /dev/console if asked."""
    fd = os.open(slave, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    if size and size.get("height"):
        terminal.set_window_size(fd, size["height"], size["width"])
    try:
        os.fchown(fd, uid, -1)
    except PermissionError:
        pass  # the device belongs to the only id that there is
    if console:
        _bind_console(slave)
    terminal.make_controlling(fd)
    for number in (0, 1, 2):
        os.dup2(fd, number)
    os.close(fd)


def _bind_console(slave: str) -> None:
    try:
        os.close(
            os.open("/dev/console", os.O_CREAT | os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC, 0o600)
        )
        mounts.bind(slave, "/dev/console", recursive=False)
    except OSError as error:
        if error.errno not in {errno.EROFS, errno.EACCES, errno.ENXIO}:
            raise


def give_streams(uid: int) -> None:
    """Make the pipes of this process belong to `uid`, so that it can reopen /dev/stdout and the like.

    A pipe that has a name keeps its owner.
    """
    read_fd, write_fd = os.pipe()
    nameless = os.fstat(read_fd).st_dev
    os.close(read_fd)
    os.close(write_fd)
    for fd in (0, 1, 2):
        status = os.fstat(fd)
        if status.st_dev == nameless and stat.S_ISFIFO(status.st_mode) and status.st_uid != uid:
            try:
                os.fchown(fd, uid, -1)
            except OSError as error:
                if error.errno not in {errno.EPERM, errno.EINVAL, errno.EROFS}:
                    raise


def bring_up_loopback() -> None:
    """Set the loopback interface of this network namespace up; the kernel then gives it its addresses."""
    interfaces.set_up("lo")
