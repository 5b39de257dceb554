"""Work of the holder that waits for other programs, one piece after another, while its loop goes on.

A piece of work, *steps*, is a generator that yields the pid of each child process it has to wait for and is sent its
wait status: names are answered and published bytes moved meanwhile.
"""

from __future__ import annotations

import os

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pod.linux.loop import Loop

    Steps = Generator[int, int, None]
    Done = Callable[[BaseException | None], None]

FAILURES = (PodError, OSError, ValueError, KeyError)
"""What a request can be answered with; anything else is a fault of ours and ends the holder."""


class Queue:
    """Pieces of work in the order in which they came; true while there are any."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: list[tuple[Steps, Done]] = []
        self._now: tuple[Steps, Done] | None = None

    def __bool__(self) -> bool:
        return self._now is not None or bool(self._waiting)

    def add(self, steps: Steps, done: Done) -> None:
        """Begin `steps`, now or after those that came before; `done` gets None, or one of FAILURES."""
        self._waiting.append((steps, done))
        self._begin_next()

    def _begin_next(self) -> None:
        while self._now is None and self._waiting:
            self._now = self._waiting.pop(0)
            self._advance(None)

    def _advance(self, status: int | None) -> None:
        assert self._now is not None
        steps, done = self._now
        failure: BaseException | None = None
        try:
            pid = next(steps) if status is None else steps.send(status)
        except StopIteration:
            pass
        except FAILURES as error:
            failure = error
        else:
            self._wait_for(pid)
            return
        self._now = None
        done(failure)

    def _wait_for(self, pid: int) -> None:
        process_fd = os.pidfd_open(pid)

        def ended(_: int) -> None:
            self._loop.forget(process_fd)
            os.close(process_fd)
            self._advance(os.waitpid(pid, 0)[1])
            self._begin_next()

        self._loop.watch(process_fd, ended)
