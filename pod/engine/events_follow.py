"""Events as they come: the journal is watched with inotify, and what is printed waits in memory for a slow reader."""

from __future__ import annotations

import errno
import os
import select
import time

from pod.engine.events import Reader
from pod.linux import inotify, signals
from pod.state.events import LOG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.engine.events import Event, Selection

_PIPE_BYTES = 4096  # PIPE_BUF: so much can be written without waiting when poll(2) says that a pipe is writable
_NO_JOURNAL_MILLISECONDS = 200
_LOOK_MILLISECONDS = 60_000
_CHANGES = (
    inotify.IN_MODIFY
    | inotify.IN_CREATE
    | inotify.IN_MOVED_FROM
    | inotify.IN_DELETE
    | inotify.IN_DELETE_SELF
)
_JUMP_NS = 1_000_000_000  # what the clock is set by, and not only corrected
INTERRUPTED, TERMINATED = 1, 0  # what podman returns after SIGINT and SIGTERM


def follow(
    directory: str,
    selection: Selection,
    show: Callable[[Event], bytes],
    out_fd: int,
    *,
    only_new: bool,
) -> int:
    """Write the selected events to `out_fd` as `show` makes them, until the time of the selection; the exit status.

    `only_new` leaves out those that are there already. Raises BrokenPipeError when nobody reads any more.
    """
    follower = _Follower(directory, selection, show, out_fd)
    try:
        return follower.run(only_new=only_new)
    finally:
        follower.close()


class Until:
    """When to end, by the time that passes: the clock may be set meanwhile. All in nanoseconds.

    `now_ns` is what the clock says, `passed_ns` the time since the boot (CLOCK_BOOTTIME, clock_gettime(2)).
    """

    def __init__(self, until_ns: int, now_ns: int, passed_ns: int) -> None:
        self._until_ns = until_ns
        self._now_ns, self._passed_ns = now_ns, passed_ns

    def left_ns(self, passed_ns: int) -> int:
        """How long there is still to wait; negative when it is over."""
        return self._until_ns - self._now_ns - (passed_ns - self._passed_ns)

    def accepts(self, event_ns: int, now_ns: int, passed_ns: int) -> bool:
        """Whether an event, read now, was not later. Its time is the clock's, perhaps from before it was set."""
        jump_ns = (now_ns - self._now_ns) - (passed_ns - self._passed_ns)
        if abs(jump_ns) < _JUMP_NS:
            jump_ns = 0
        return min(event_ns, event_ns - jump_ns) <= self._until_ns


def _passed_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class _Follower:
    def __init__(
        self, directory: str, selection: Selection, show: Callable[[Event], bytes], out_fd: int
    ) -> None:
        self._directory = directory
        self._selection = selection.replace(until_ns=None)
        self._until: Until | None = None
        if selection.until_ns is not None:
            self._until = Until(selection.until_ns, time.time_ns(), _passed_ns())
        self._show = show
        self._out_fd = out_fd
        self._pending = bytearray()
        self._watch: inotify.Watch | None = None
        # The directory that is watched: as long as it is open, no other gets its inode number.
        self._directory_fd = -1
        self._reader = Reader(directory)
        self._wakeup = signals.Wakeup([signals.SIGINT, signals.SIGTERM])

    def run(self, *, only_new: bool) -> int:
        self._begin_to_watch()
        if only_new:
            self._reader.skip()
        while True:
            if self._watch is None:
                self._begin_to_watch()
            self._read()  # after that: what comes from now on wakes us
            self._take_what_comes()
            if self._is_over() and not self._pending:
                return 0
            status = self._wait()
            if status is not None:
                return status

    def close(self) -> None:
        self._reader.close()
        self._wakeup.close()
        self._stop_watching()

    def _begin_to_watch(self) -> None:
        """Watch the directory of the journal, which may not be there yet, or be another one after `system reset`."""
        self._stop_watching()
        try:
            self._directory_fd = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._watch = inotify.Watch(self._directory, _CHANGES)
        except FileNotFoundError:
            self._stop_watching()
            return
        if not self._is_watched():
            self._stop_watching()

    def _is_watched(self) -> bool:
        """Whether the directory is still the one that was there when the watch began."""
        try:
            return self._directory_fd >= 0 and os.path.samestat(
                os.fstat(self._directory_fd), os.stat(self._directory)
            )
        except FileNotFoundError:
            return False

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._directory_fd >= 0:
            os.close(self._directory_fd)
            self._directory_fd = -1

    def _read(self) -> None:
        for event in self._reader.read():
            if self._selection.accepts(event) and self._is_in_time(event):
                self._pending += self._show(event)

    def _is_in_time(self, event: Event) -> bool:
        return self._until is None or self._until.accepts(
            event.time_ns, time.time_ns(), _passed_ns()
        )

    def _take_what_comes(self) -> None:
        """`since` was for what was there: events that come now are new, also where the clock is set back."""
        since_ns = self._selection.since_ns
        if since_ns is not None and since_ns <= time.time_ns():
            self._selection = self._selection.replace(since_ns=None)

    def _is_over(self) -> bool:
        return self._until is not None and self._until.left_ns(_passed_ns()) < 0

    def _wait(self) -> int | None:
        """Wait until something has changed, a part of the output can be written, or it is over; the status then."""
        poll = select.poll()
        poll.register(self._wakeup.fileno(), select.POLLIN)
        poll.register(self._out_fd, select.POLLOUT if self._pending else 0)
        if self._watch is not None:
            poll.register(self._watch.fileno(), select.POLLIN)
        ready = dict(poll.poll(self._timeout()))
        if self._wakeup.fileno() in ready:
            return INTERRUPTED if signals.SIGINT in self._wakeup.take() else TERMINATED
        seen = ready.get(self._out_fd, 0)
        if seen & select.POLLOUT:
            del self._pending[: os.write(self._out_fd, self._pending[:_PIPE_BYTES])]
        elif seen:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        if self._watch is not None and self._watch.fileno() in ready:
            self._watch.take()
        if not self._is_watched():
            self._stop_watching()
        return None

    def _timeout(self) -> float | None:
        """Milliseconds."""
        limits: list[float] = []
        if self._until is not None and not self._is_over():
            left = max(0, self._until.left_ns(_passed_ns())) / 1e6 + 1
            limits.append(min(left, _LOOK_MILLISECONDS))  # the machine may sleep meanwhile
        # Nothing tells of the removal of a directory in which the reader has a file open.
        if self._watch is None or not os.path.exists(f"{self._directory}/{LOG}"):
            limits.append(_NO_JOURNAL_MILLISECONDS)
        return min(limits, default=None)
