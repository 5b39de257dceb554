"""The program that connects the holder's network namespace with the world: what goes out, since ports come by sockets.

slirp4netns(1) is small and starts at once; it ends with the pipe that the holder keeps. pasta(1) moves more bytes with
less work and takes thirty megabytes; the holder ends it, or release.release_lost, by the file with its number.
"""

from __future__ import annotations

import os

from netns import helper
from netns.backends import pasta, slirp4netns
from netns.errors import NetworkError
from netns.holder.bridges import OUTSIDE
from netns.holder.protocol import OUTSIDE_PID
from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Outside:
    """The helper as it runs: its process, and the descriptor, if any, with whose last copy it ends."""

    def __init__(self, pid: int, started: int, keep_fd: int = -1) -> None:
        self.process = (pid, started)
        self.keep_fd = keep_fd

    def end(self) -> None:
        """When the holder did not get so far."""
        helper.end_process(*self.process)
        self.let_go()

    def let_go(self) -> None:
        """It is the holder's now."""
        if self.keep_fd >= 0:
            os.close(self.keep_fd)
            self.keep_fd = -1


def start(settings: dict[str, Any], pid: int) -> Outside:
    """Connect the network namespace of the holder `pid`. Raises NetworkError.

    `settings` have "backend", "program", "options", and "directory" for its files.
    """
    if settings["backend"] == "slirp4netns":
        return _start_slirp(settings, pid)
    return _start_pasta(settings, pid)


def _start_slirp(settings: dict[str, Any], pid: int) -> Outside:
    ready_fd, theirs = os.pipe()
    exit_fd, keep_fd = os.pipe()
    started = helper.Helper(
        [
            settings["program"],
            "--configure",
            f"--ready-fd={theirs}",
            f"--exit-fd={exit_fd}",
            *slirp4netns.words_of(settings["options"], ipv6=True),
            str(pid),
            OUTSIDE,
        ],
        keep=(theirs, exit_fd),
        directory=settings["directory"],
        dies_with_parent=False,
    )
    os.close(theirs)
    os.close(exit_fd)
    try:
        if os.read(ready_fd, 1) != b"1":
            raise helper.failed("slirp4netns", started.complaint())
    except BaseException:
        started.end()
        os.close(keep_fd)
        raise
    finally:
        os.close(ready_fd)
    started.forget_complaints()
    return Outside(started.pid, started.started, keep_fd)


def _start_pasta(settings: dict[str, Any], pid: int) -> Outside:
    given = {
        "program": settings["program"],
        "options": [*settings["options"], "-I", OUTSIDE],
        "ports": [],
        "run_directory": settings["directory"],
    }
    started = helper.Helper(pasta.arguments(given, pid), directory=settings["directory"])
    try:
        text = started.complaint()
        status = started.wait()
    except BaseException:
        started.end()
        raise
    if status != 0:
        raise helper.failed("pasta", text)
    return Outside(*_process_in(f"{settings['directory']}/{OUTSIDE_PID}"))


def _process_in(path: str) -> tuple[int, int]:
    """The daemon that a helper became, and its start time."""
    try:
        with open(path, encoding="ascii") as file:
            pid = int(file.read())
    except (OSError, ValueError) as error:
        raise NetworkError(f"pasta did not say which process it is: {error}") from error
    started = processes.start_time(pid)
    if started is None:
        raise NetworkError("pasta ended as soon as it had started")
    return pid, started
