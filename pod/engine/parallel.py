"""The same thing with several containers at once, each in a child process of its own.

Stopping and removing is mostly waiting, and each container has its own lock, so several go side by side. Children, not
threads: a start forks, which a program with threads must not.
"""

from __future__ import annotations

from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from pod.engine.context import Engine

_AT_ONCE = 16


def for_each(
    engine: Engine, names: Sequence[str], action: Callable[[str], Any], what: str
) -> Iterator[tuple[str, Any]]:
    """(name, result or exception) of `action(name)` for every name, in their order.

    Results are plain values (marshal). Of a PodError cross message, hint and exit status. `what` completes "the process
    that should ...". A single name is dealt with in this process.
    """
    if len(names) < 2:
        for name in names:
            yield name, _try(action, name)
        return
    engine.close()  # a connection must not cross the fork
    running: list[tuple[str, processes.Child]] = []
    waiting = list(reversed(names))
    while running or waiting:
        while waiting and len(running) < _AT_ONCE:
            name = waiting.pop()
            running.append((name, processes.fork(_bound(action, name), what=what)))
        name, child = running.pop(0)
        try:
            result: Any = child.result()
        except Exception as error:  # noqa: BLE001  handed to the caller, who tells it
            result = error
        yield name, result


def _try(action: Callable[[str], Any], name: str) -> Any:
    try:
        return action(name)
    except Exception as error:  # noqa: BLE001  handed to the caller, who tells it
        return error


def _bound(action: Callable[[str], Any], name: str) -> Callable[[], Any]:
    return lambda: action(name)
