"""Stages of a build as tasks that take turns in one process, and the processes that do their work.

A task is a generator. It yields what it waits for and gets the result back, or the error thrown: a function that starts
a Job, once there is room for another one, or the name of another task. Nothing here has a thread, so that forking is
safe; whatever takes long is in a Job.
"""

from __future__ import annotations

import os
import select

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import Any

    from pod.linux.processes import Child

    Task = Generator[Any, Any, Any]

_CHUNK = 1 << 16
_TICK_MILLISECONDS = 200


class Job:
    """A child process at work. `outputs` are descriptors to read until their end, each with who gets the bytes."""

    def __init__(
        self, child: Child, outputs: Mapping[int, Callable[[bytes], None]] | None = None
    ) -> None:
        self.child = child
        self.outputs = dict(outputs or {})
        self.is_done = False

    def kill(self) -> None:
        """End it at once."""
        for fd in self.outputs:
            os.close(fd)
        self.outputs.clear()
        self.child.kill()


class NeverFinishes(PodError):
    """Tasks wait for one another in a circle."""


class Tasks:
    """Runs tasks until all are done or one fails. `most_jobs` processes work at a time."""

    def __init__(self, most_jobs: int, tick: Callable[[], None] | None = None) -> None:
        """`tick` is called some times a second while jobs work."""
        self._most_jobs = most_jobs
        self._tick = tick
        self._tasks: dict[str, Task] = {}
        self._results: dict[str, Any] = {}
        self._ready: list[tuple[str, Any, BaseException | None]] = []
        self._waiting: dict[str, list[str]] = {}  # for the task -> those that wait
        self._queue: list[tuple[str, Callable[[], Job]]] = []
        self._jobs: dict[str, Job] = {}
        self._owners: dict[int, str] = {}
        self._poll = select.poll()

    def add(self, name: str, task: Task) -> None:
        """Begin a task; its name is new."""
        self._tasks[name] = task
        self._ready.append((name, None, None))

    def has(self, name: str) -> bool:
        """Whether there is, or was, a task of this name."""
        return name in self._tasks or name in self._results

    def run(self) -> dict[str, Any]:
        """The results by name. The first error ends all other tasks and is raised."""
        try:
            while self._tasks:
                self._turn()
        except BaseException:
            self._abandon()
            raise
        return self._results

    def _turn(self) -> None:
        while self._ready:
            name, value, error = self._ready.pop(0)
            self._advance(name, value, error)
        while self._queue and len(self._jobs) < self._most_jobs:
            name, start = self._queue.pop(0)
            try:
                self._watch(name, start())
            except Exception as error:  # noqa: BLE001  it is the task's
                self._ready.append((name, None, error))
        if self._ready or not self._tasks:
            return
        if not self._jobs:
            raise NeverFinishes(f"stages wait for one another: {', '.join(sorted(self._tasks))}")
        for fd, _ in self._poll.poll(_TICK_MILLISECONDS if self._tick else None):
            self._serve(fd)
        if self._tick:
            self._tick()

    def _advance(self, name: str, value: Any, error: BaseException | None) -> None:
        task = self._tasks[name]
        try:
            wanted = task.throw(error) if error is not None else task.send(value)
        except StopIteration as end:
            del self._tasks[name]
            self._results[name] = end.value
            self._ready += [(one, end.value, None) for one in self._waiting.pop(name, [])]
            return
        if isinstance(wanted, str):
            if wanted in self._results:
                self._ready.append((name, self._results[wanted], None))
            else:
                self._waiting.setdefault(wanted, []).append(name)
            return
        self._queue.append((name, wanted))

    def _watch(self, name: str, job: Job) -> None:
        self._jobs[name] = job
        for fd in (job.child.result_fd, *job.outputs):
            self._owners[fd] = name
            self._poll.register(fd, select.POLLIN)

    def _serve(self, fd: int) -> None:
        name = self._owners.get(fd)
        if name is None:
            return
        job = self._jobs[name]
        if fd in job.outputs:
            data = os.read(fd, _CHUNK)
            if data:
                job.outputs[fd](data)
                return
            self._forget(fd)
            os.close(fd)
            del job.outputs[fd]
        else:
            self._forget(fd)
            job.is_done = True
        if not job.is_done or job.outputs:
            return
        del self._jobs[name]
        try:
            self._ready.append((name, job.child.result(), None))
        except Exception as error:  # noqa: BLE001  it is the task's
            self._ready.append((name, None, error))

    def _forget(self, fd: int) -> None:
        self._poll.unregister(fd)
        del self._owners[fd]

    def _abandon(self) -> None:
        for job in self._jobs.values():
            job.kill()
        for task in self._tasks.values():
            task.close()
