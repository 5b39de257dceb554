"""A helper program of a network backend: started with its complaints kept, ended by its pid and start time."""

from __future__ import annotations

import os

from netns.errors import NetworkError
from pod.linux import processes, signals

_MAX_TEXT = 1 << 16
_LINES_OF_A_REASON = 12


class Helper:
    """A program that is starting. Whoever begins it calls `complaint` or `end`."""

    def __init__(
        self,
        arguments: list[str],
        *,
        keep: tuple[int, ...] = (),
        directory: str,
        dies_with_parent: bool = True,
    ) -> None:
        self.name = os.path.basename(arguments[0])
        self.errors_fd, theirs = os.pipe()
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        try:
            # Until it has made itself a daemon it must not outlive us: nothing on disk would tell of it.
            self.pid = processes.spawn(
                arguments,
                streams=(null, null, theirs),
                keep=keep,
                directory=directory,
                dies_with_parent=dies_with_parent,
            )
        finally:
            os.close(theirs)
            os.close(null)
        self.started = processes.start_time(self.pid) or 0

    def complaint(self) -> str:
        """What it wrote to standard error until it closed it; waits for that."""
        text = b""
        while part := os.read(self.errors_fd, _MAX_TEXT):
            text += part
        os.close(self.errors_fd)
        self.errors_fd = -1
        return text[-_MAX_TEXT:].decode("utf-8", "replace").strip()

    def wait(self) -> int:
        """The exit status of the program that was started."""
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def forget_complaints(self) -> None:
        """Close the pipe of its standard error; it may go on running."""
        if self.errors_fd >= 0:
            os.close(self.errors_fd)
            self.errors_fd = -1

    def end(self) -> None:
        """Kill and reap it if it still runs."""
        self.forget_complaints()
        processes.kill_and_reap(self.pid)


def end_children(argument: str) -> None:
    """Kill and reap what a helper that was killed has left to us, who are a subreaper: by one of its arguments.

    pasta works in forked processes for moments, which have its sockets, and becomes a daemon before it says where.
    """
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return  # a kernel without CONFIG_PROC_CHILDREN
    for pid in children:
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                words = file.read().split("\0")
        except OSError:
            continue
        if argument in words:
            processes.kill_and_reap(pid)


def failed(name: str, text: str, hint: str | None = None) -> NetworkError:
    """The error for a helper that gave up, in its own words."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _LINES_OF_A_REASON:
        del lines[1:]  # a wrong option, and how to use the program
    return NetworkError(
        f"{name} could not connect the container to the network: {'; '.join(lines[-3:]) or 'it gave no reason'}",
        hint=hint,
    )


def end_process(pid: int, started: int) -> None:
    """SIGKILL to a helper that is no child of the caller any more, if it still is that process."""
    processes.send_signal(pid, started, signals.SIGKILL)
