"""A loop over descriptors and timers: what the `selectors` and `sched` modules do, at a fraction of their memory."""

from __future__ import annotations

import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR
WRITE = select.EPOLLOUT


class Loop:
    """Calls a function when its descriptor is ready or its time has come, until `stop`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._timers: dict[str, tuple[float, Callable[[], None]]] = {}
        self._stopped = False

    def watch(self, fd: int, callback: Callable[[int], None], events: int = READ) -> None:
        """Call `callback(events)` when `fd` is ready; watching a descriptor again changes what is watched."""
        if fd in self._callbacks:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def forget(self, fd: int) -> None:
        """Stop watching; before the descriptor is closed."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def set_timer(self, name: str, seconds: float, callback: Callable[[], None]) -> None:
        """Call `callback` once, this much later. A timer of the same name is replaced."""
        self._timers[name] = (time.monotonic() + seconds, callback)

    def seconds_left(self, name: str) -> float | None:
        """The time until a timer's call; None when there is no such timer."""
        timer = self._timers.get(name)
        return None if timer is None else max(0.0, timer[0] - time.monotonic())

    def cancel_timer(self, name: str) -> None:
        self._timers.pop(name, None)

    def stop(self) -> None:
        """Make `run` return after the callback that is running."""
        self._stopped = True

    def run(self) -> None:
        """Serve descriptors and timers until `stop` is called."""
        self._stopped = False
        while not self._stopped:
            self.turn(self._seconds_to_next_timer())

    def turn(self, timeout: float | None) -> None:
        """Wait once, at most `timeout` seconds (None: as long as it takes), and make the calls that are due."""
        for fd, events in self._epoll.poll(timeout):
            callback = self._callbacks.get(
                fd
            )  # an earlier callback may have ended this one's watch
            if callback is not None:
                callback(events)
        now = time.monotonic()
        in_turn = sorted(self._timers.items(), key=lambda timer: timer[1][0])
        for name, (due, callback_due) in in_turn:
            if due <= now and self._timers.get(name) == (due, callback_due):
                del self._timers[name]
                callback_due()

    def _seconds_to_next_timer(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, min(due for due, _ in self._timers.values()) - time.monotonic())

    def close(self) -> None:
        self._epoll.close()
