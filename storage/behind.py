"""Work that goes on when the command has ended: deleting and syncing, which nobody should wait for."""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError
from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def start(function: Callable[[], object], *, keep: Iterable[int] = ()) -> None:
    """Call `function` in a process that nobody waits for. Call this with a single thread.

    The process has its own session, no terminal and no descriptors but `keep`: neither the end of the command nor that
    of its terminal concerns it. What fails there is left for the next command.
    """
    pid = processes.fork_raw()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        # While the command waits: a lock of its that we share must not outlive it for a moment.
        processes.close_descriptors({0, 1, 2, *keep})
        os.chdir("/")
        if processes.fork_raw():
            processes.leave(0)
        os.nice(10)
        function()
    except (OSError, PodError) as error:
        log.debug(str(error))
    finally:
        processes.leave(0)
