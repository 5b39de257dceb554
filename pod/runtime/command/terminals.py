"""What a container shares with whoever called the runtime: terminal, descriptors, signals, and the wait for its end."""

from __future__ import annotations

import os
import select

from pod.base import exits
from pod.base.errors import PodError
from pod.linux import signals, sockets, terminal

_PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_MOST_DESCRIPTORS = 200  # that fit into one message with others, unix(7)


def pass_on(master_fd: int, socket: str) -> None:
    """Send the master of the terminal to --console-socket."""
    try:
        sockets.pass_descriptor(socket, master_fd, "terminal")
    except OSError as error:
        raise PodError(
            f"the terminal cannot be passed to the console socket '{socket}': {error.strerror}"
        ) from error


def open_descriptors(count: int) -> list[int]:
    """The numbers of the `count` descriptors from 3 on. Raises PodError unless all of them are open."""
    if not 0 <= count <= _MOST_DESCRIPTORS:
        raise PodError(f"{count} descriptors cannot be passed: 0 to {_MOST_DESCRIPTORS} can")
    numbers = list(range(3, 3 + count))
    for number in numbers:
        try:
            os.fstat(number)
        except OSError as error:
            raise PodError(f"descriptor {number} of --preserve-fds is not open") from error
    return numbers


def wait(pid: int, *, signalled: int = 0) -> int:
    """Wait for a child and pass our signals on to it, or to the process `signalled`; its exit status."""
    wakeup = signals.Wakeup([signals.NUMBERS[name] for name in (*_PASSED_ON, "SIGCHLD")])
    try:
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return exits.from_wait_status(status)
            select.select([wakeup.fileno()], [], [])
            _pass_signals(wakeup, signalled or pid)
    finally:
        wakeup.close()


def show(master_fd: int, pid: int) -> int:
    """Be the terminal of a child until it ends; its exit status."""
    numbers = [signals.NUMBERS[name] for name in (*_PASSED_ON, "SIGCHLD", "SIGWINCH")]
    wakeup = signals.Wakeup(numbers)
    is_terminal = os.isatty(0)
    raw = terminal.RawMode(0) if is_terminal else None
    if raw is not None:
        raw.__enter__()
    try:
        if is_terminal:
            terminal.set_window_size(master_fd, *terminal.window_size(0))
        return _copy(master_fd, pid, wakeup)
    finally:
        if raw is not None:
            raw.__exit__()
        wakeup.close()


def _copy(master_fd: int, pid: int, wakeup: signals.Wakeup) -> int:
    wanted = {0, master_fd, wakeup.fileno()}
    while True:
        ready, _, _ = select.select(wanted, [], [])
        if wakeup.fileno() in ready and signals.SIGWINCH in _pass_signals(wakeup, pid):
            terminal.set_window_size(master_fd, *terminal.window_size(0))
        if master_fd in ready and not _move(master_fd, 1):
            _, status = os.waitpid(pid, 0)
            return exits.from_wait_status(status)
        if 0 in ready and not _move(0, master_fd):
            wanted.discard(0)


def _move(source: int, target: int) -> bool:
    """Pass on what there is to read; False at the end."""
    try:
        data = memoryview(os.read(source, 65536))
    except OSError:  # EIO: nobody has the other side of the terminal open any more
        return False
    if not data:
        return False
    while data:
        data = data[os.write(target, data) :]
    return True


def _pass_signals(wakeup: signals.Wakeup, pid: int) -> bytes:
    taken = wakeup.take()
    for number in taken:
        if number not in {signals.SIGCHLD, signals.SIGWINCH}:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
    return taken
