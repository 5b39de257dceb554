"""A process 1 that adopts orphans and passes signals on, for `--init` where catatonit is not installed.

It stays what it was forked from, with the caller's environment and more in its memory. So it must stay undumpable: no
process of the container can look into it then. Nor can we from outside: see `namespaces.holder`.
"""

from __future__ import annotations

import os

from pod.base import exits
from pod.linux import processes, signals, sockets, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_TITLE = "pod-init"


def become_parent_of_command(channel: sockets.Channel) -> None:
    """Fork: the child returns and becomes the command, the parent stays as process 1 and never returns.

    Called when all privileges are given up, so that the parent has no more than the command. It lets go of `channel`,
    whose end tells the monitor that execve succeeded.
    """
    everything = [
        number
        for name, number in signals.NUMBERS.items()
        if name not in {"SIGKILL", "SIGSTOP", "SIGRTMIN", "SIGRTMAX"}
    ]
    signals.block(everything)
    pid = processes.fork_raw()
    if pid:
        channel.close()
        syscalls.set_command_line(_TITLE)
        _reap(pid, everything)
    # A group of its own, in the foreground: else Ctrl-C would come from the terminal and once more from us.
    os.setpgid(0, 0)
    if os.isatty(0):
        os.tcsetpgrp(0, os.getpid())  # SIGTTOU is still blocked
    signals.restore_defaults()


def _reap(command: int, everything: list[int]) -> NoReturn:
    processes.close_descriptors(())
    while True:
        number = signals.wait(everything)
        if number != signals.SIGCHLD:
            try:
                os.kill(command, number)
            except (ProcessLookupError, PermissionError):
                pass
            continue
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                os._exit(exits.FAILED)
            if pid == command:
                os._exit(exits.from_wait_status(status))
            if pid == 0:
                break
