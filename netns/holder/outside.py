"""The program that connects the holder's network namespace with the world: what goes out, since ports come by sockets.

slirp4netns(1) is small and starts at once; it ends with the pipe that the holder keeps. pasta(1) moves more bytes with
less work and takes thirty megabytes; the holder ends it, or release.release_lost, by the file with its number.
"""

from __future__ import annotations

import os

from netns import helper
from netns.errors import NetworkError
from netns.holder.protocol import OUTSIDE_INTERFACE, OUTSIDE_PID
from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Outside:
    """The helper while it starts. Whoever begins it calls `wait`, then `let_go`; or `end`.

    `keep_fd` is the descriptor, if any, with whose last copy it ends; `process`, its number and start time, is known
    once `wait` has returned.
    """

    def __init__(
        self, started: helper.Helper, directory: str, *, ready_fd: int = -1, keep_fd: int = -1
    ) -> None:
        self._helper = started
        self._directory = directory
        self._ready_fd = ready_fd
        self.keep_fd = keep_fd
        self.process = (started.pid, started.started)

    @property
    def news_fd(self) -> int:
        """What can be read when `wait` has not to wait for long any more."""
        return self._ready_fd if self._ready_fd >= 0 else self._helper.errors_fd

    def wait(self) -> None:
        """Wait until the world can be reached by it. Raises NetworkError."""
        if self._ready_fd >= 0:
            if os.read(self._ready_fd, 1) != b"1":
                raise helper.failed("slirp4netns", self._helper.complaint())
            self._helper.forget_complaints()
            return
        text = self._helper.complaint()
        if self._helper.wait() != 0:
            raise helper.failed("pasta", text)
        self.process = _process_in(f"{self._directory}/{OUTSIDE_PID}")

    def end(self) -> None:
        """When the holder did not get so far."""
        self._helper.end()
        helper.end_process(*self.process)
        self.let_go()

    def let_go(self) -> None:
        """It is the holder's now."""
        for fd in (self._ready_fd, self.keep_fd):
            if fd >= 0:
                os.close(fd)
        self._ready_fd = self.keep_fd = -1


def begin(settings: dict[str, Any], pid: int) -> Outside:
    """Begin to connect the network namespace of the holder `pid`. Raises NetworkError.

    `settings` have "backend", "program", "options", and "directory" for its files.
    """
    if settings["backend"] == "slirp4netns":
        return _begin_slirp(settings, pid)
    from netns.backends import pasta  # heavy

    given = {
        "program": settings["program"],
        "options": [*settings["options"], "-I", OUTSIDE_INTERFACE],
        "ports": [],
        "run_directory": settings["directory"],
    }
    directory = settings["directory"]
    return Outside(helper.Helper(pasta.arguments(given, pid), directory=directory), directory)


def _begin_slirp(settings: dict[str, Any], pid: int) -> Outside:
    from netns.backends import slirp4netns  # heavy

    ready_fd, theirs = os.pipe()
    exit_fd, keep_fd = os.pipe()
    try:
        started = helper.Helper(
            [
                settings["program"],
                "--configure",
                f"--ready-fd={theirs}",
                f"--exit-fd={exit_fd}",
                *slirp4netns.words_of(settings["options"], ipv6=True),
                str(pid),
                OUTSIDE_INTERFACE,
            ],
            keep=(theirs, exit_fd),
            directory=settings["directory"],
            dies_with_parent=False,
        )
    except BaseException:
        os.close(ready_fd)
        os.close(keep_fd)
        raise
    finally:
        os.close(theirs)
        os.close(exit_fd)
    return Outside(started, settings["directory"], ready_fd=ready_fd, keep_fd=keep_fd)


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
