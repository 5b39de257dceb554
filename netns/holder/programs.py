"""Work in child processes of the holder: messages to the kernel about links, and nft(8).

Both may wait, for the kernel's lock of all network devices for example, while the holder answers. What is done here is
steps of work.py: `yield from links(...)`. While there is nobody to answer, messages need no child.
"""

from __future__ import annotations

import os

from netns.errors import NetworkError
from netns.holder.links import Links
from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from netns.holder.work import Steps

_SYSTEM_DIRECTORIES = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
_MAX_TEXT = 4096


class Child:
    """A child process at work, and what it writes. `ended` has to be waited for."""

    def __init__(self, what: str, run: Callable[[int], NoReturn]) -> None:
        self._what = what
        self._output = os.memfd_create("output")
        self._pid = processes.fork_raw()
        if self._pid == 0:
            try:
                run(self._output)
            finally:
                os._exit(127)

    def ended(self) -> Steps:
        """Wait for its end. Raises NetworkError with its own words when it failed."""
        status = yield self._pid
        try:
            said = os.pread(self._output, _MAX_TEXT, 0).decode("utf-8", "replace")
        finally:
            os.close(self._output)
        if status == 0:
            return
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        why = "; ".join(line for line in lines if not line.startswith("Command failed"))
        raise _cannot(self._what, why or f"wait status {status}")


def links(function: Callable[[Links], None], *, at_once: bool = False) -> Steps:
    """Have `function` work on the interfaces of this network namespace, or of one that it enters. Raises NetworkError.

    It does so in a child, or `at_once`, which takes less time, and is for what enters no other namespace while there
    is nobody else to serve.
    """
    if at_once:
        _work_here(function)
    else:
        yield from Child("the kernel", lambda output: _work(function, output)).ended()


def nft(rules: str) -> Child:
    """Begin to load rules in one transaction: all or none. Raises NetworkError."""
    path = find("nft")
    return Child("nft", lambda output: _execute([path, "-f", "-"], rules, output))


def _cannot(what: str, why: str) -> NetworkError:
    return NetworkError(f"{what} could not set up the network: {why}")


def find(name: str) -> str:
    """The path of a program. Raises NetworkError when it is not installed."""
    path = processes.find_program(name, *_SYSTEM_DIRECTORIES)
    if path is None:
        raise NetworkError(
            f"networks need the program '{name}', which is not installed",
            hint="install nftables, or run with --network pasta",
        )
    return path


def _work_here(function: Callable[[Links], None]) -> None:
    connection = Links()
    try:
        function(connection)
    except OSError as error:
        raise _cannot("the kernel", f"{error.filename}: {error.strerror}") from error
    finally:
        connection.close()


def _work(function: Callable[[Links], None], output: int) -> NoReturn:
    try:
        function(Links())
        os._exit(0)
    except OSError as error:
        os.write(output, f"{error.filename}: {error.strerror}".encode())
    os._exit(1)


def _execute(arguments: list[str], text: str, output: int) -> NoReturn:
    given = os.memfd_create("input")
    os.write(given, text.encode())
    os.lseek(given, 0, os.SEEK_SET)
    for number, fd in enumerate((given, output, output)):
        os.dup2(fd, number)
    os.execve(arguments[0], arguments, {"LC_ALL": "C"})
