"""Run ip(8) and nft(8) inside a network namespace, from text to success or their own complaint.

What is run here is steps of work.py: `yield from ip(...)`.
"""

from __future__ import annotations

import os

from netns.errors import NetworkError
from pod.linux import processes, syscalls
from pod.linux.namespaces import CLONE_NEWNET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from netns.holder.work import Steps

_SYSTEM_DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
_MAX_TEXT = 4096
_PACKAGES = {"ip": "iproute2 (Debian, Ubuntu) or iproute (Fedora)", "nft": "nftables"}


def ip(
    lines: list[str], namespace_fd: int = -1, *, family: str = "", may_fail: bool = False
) -> Steps:
    """Execute commands of ip-batch, in another network namespace if its descriptor is given. Raises NetworkError.

    `family` is "-6" for commands that cannot tell by their addresses.
    """
    options = [family] if family else []
    try:
        yield from _run(["ip", *options, "-batch", "-"], "\n".join(lines) + "\n", namespace_fd)
    except NetworkError:
        if not may_fail:
            raise


def nft(rules: str) -> Steps:
    """Load rules in one transaction: all or none. Raises NetworkError."""
    yield from _run(["nft", "-f", "-"], rules, -1)


def find(name: str) -> str:
    """The path of one of the two. Raises NetworkError when it is not installed."""
    path = processes.find_program(name, *_SYSTEM_DIRECTORIES)
    if path is None:
        raise NetworkError(
            f"networks need the program '{name}', which is not installed",
            hint=f"install {_PACKAGES[name]}, or run with --network pasta",
        )
    return path


def _run(arguments: list[str], text: str, namespace_fd: int) -> Steps:
    path = find(arguments[0])
    memories = [os.memfd_create(name) for name in ("input", "output")]
    try:
        os.write(memories[0], text.encode())
        os.lseek(memories[0], 0, os.SEEK_SET)
        pid = processes.fork_raw()
        if pid == 0:
            _execute(path, arguments, memories, namespace_fd)
        status = yield pid
        if status == 0:
            return
        said = os.pread(memories[1], _MAX_TEXT, 0).decode("utf-8", "replace")
    finally:
        for fd in memories:
            os.close(fd)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    why = "; ".join(line for line in lines if not line.startswith("Command failed"))
    raise NetworkError(
        f"{arguments[0]} could not set up the network: {why or f'wait status {status}'}"
    )


def _execute(path: str, arguments: list[str], memories: list[int], namespace_fd: int) -> NoReturn:
    try:
        if namespace_fd >= 0:
            syscalls.setns(namespace_fd, CLONE_NEWNET)
        os.dup2(memories[0], 0)
        os.dup2(memories[1], 1)
        os.dup2(memories[1], 2)
        os.execve(path, arguments, {"LC_ALL": "C"})
    finally:
        os._exit(127)
