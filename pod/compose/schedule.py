"""Tasks that need one another, side by side: each in a child process, as soon as those that it needs are done.

Children, not threads: a start forks, which a program with threads must not. A single task is done in this process.
"""

from __future__ import annotations

import os
import select

from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any

    from pod.engine.context import Engine

_AT_ONCE = 16


class Skipped(Exception):
    """A task that was not tried, since one that it needs has failed."""


def run(
    engine: Engine,
    tasks: Mapping[str, Callable[[], Any]],
    needs: Mapping[str, Collection[str]],
    what: str,
    *,
    after: Mapping[str, Collection[str]] | None = None,
    most: int = 0,
    keep: Collection[int] = (),
) -> dict[str, Any]:
    """What each task has returned, the exception that it raised, or Skipped; by name, in the order of `tasks`.

    `needs` are the names that a task comes after and cannot do without, `after` those that it only comes after; those
    that are no task are as good as done. Results are plain values (marshal). `most` bounds how many run at once; 0 for
    the usual bound. `keep` are descriptors that children keep. They end with this process. `what` completes "the
    process that should ...".
    """
    results: dict[str, Any] = {}
    if len(tasks) == 1:
        for name, task in tasks.items():
            results[name] = _try(task)
        return results
    left = dict(tasks)
    running: dict[int, tuple[str, processes.Child]] = {}
    engine.close()  # a connection must not cross the fork
    poll = select.poll()
    try:
        while left or running:
            for name in _ready(left, (needs, after or {}), tasks, results):
                if len(running) >= (most or _AT_ONCE):
                    break
                task = left.pop(name)
                failed = any(isinstance(results.get(it), Exception) for it in needs.get(name, ()))
                if failed:
                    results[name] = Skipped()
                    continue
                child = processes.fork(_with_parent(task, os.getpid()), what=what, keep=keep)
                running[child.result_fd] = (name, child)
                poll.register(child.result_fd, select.POLLIN)
            if not running:
                continue
            for fd, _ in poll.poll():
                name, child = running.pop(fd)
                poll.unregister(fd)
                results[name] = _try(child.result)
    finally:
        for _, child in running.values():
            child.kill()
    return {name: results[name] for name in tasks}


def _with_parent(task: Callable[[], Any], parent: int) -> Callable[[], Any]:
    """The task, for a child that shall not go on when the command was killed, as nobody would wait for it."""

    def run() -> Any:
        from pod.linux import signals, syscalls

        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signals.SIGKILL)
        if os.getppid() != parent:
            processes.leave(0)
        return task()

    return run


def _ready(
    left: Mapping[str, Any],
    orders: Collection[Mapping[str, Collection[str]]],
    tasks: Mapping[str, Any],
    results: Mapping[str, Any],
) -> list[str]:
    """What can be begun. Where names need each other, which nobody should ask for, all of them."""
    found = [
        name
        for name in left
        if all(it in results or it not in tasks for order in orders for it in order.get(name, ()))
    ]
    return found or (list(left) if len(left) + len(results) == len(tasks) else [])


def _try(task: Callable[[], Any]) -> Any:
    try:
        return task()
    except Exception as error:  # noqa: BLE001  handed to the caller, who tells it
        return error
