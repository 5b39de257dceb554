"""Work in child processes of the holder: messages to the kernel about links.

They may wait, for the kernel's lock of all network devices for example, while the holder answers. What is done here is
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

_MAX_TEXT = 4096


def links(function: Callable[[Links], None], *, at_once: bool = False) -> Steps:
    """Have `function` work on the interfaces of this network namespace, or of one that it enters. Raises NetworkError.

    It does so in a child, or `at_once`, which takes less time, while there is nobody else to serve. No helper may
    start then: it would take the namespace that we are in for the holder's.
    """
    if at_once:
        _work_here(function)
    else:
        yield from _work_apart(function)


def cannot(why: str) -> NetworkError:
    return NetworkError(
        f"the kernel could not set up the network: {why}", hint="run with --network private"
    )


def _work_here(function: Callable[[Links], None]) -> None:
    connection = Links()
    try:
        function(connection)
    except OSError as error:
        raise cannot(f"{error.filename}: {error.strerror}") from error
    finally:
        connection.close()


def _work_apart(function: Callable[[Links], None]) -> Steps:
    output = os.memfd_create("output")
    try:
        pid = processes.fork_raw()
        if pid == 0:
            try:
                _work(function, output)
            finally:
                os._exit(127)
        status = yield pid
        why = os.pread(output, _MAX_TEXT, 0).decode("utf-8", "replace")
    finally:
        os.close(output)
    if status != 0:
        raise cannot(why or f"wait status {status}")


def _work(function: Callable[[Links], None], output: int) -> NoReturn:
    try:
        function(Links())
        os._exit(0)
    except OSError as error:
        os.write(output, f"{error.filename}: {error.strerror}".encode())
    os._exit(1)
