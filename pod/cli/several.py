"""Several names on one command line: each is tried, failures are told one by one, and the exit status shows that there
was one."""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeVar

    Item = TypeVar("Item")

    from pod.engine.context import Engine


def for_each(names: Iterable[str], do: Callable[[str], str | None]) -> int:
    """Call `do` with each name and print what it returns, a line each. The status is that of the last failure."""
    status = 0
    for name in names:
        try:
            line = do(name)
        except (PodError, OSError) as error:
            status = _told(error)
        else:
            if line is not None:
                print(line)
    return status


def collect(names: Iterable[str], look: Callable[[str], Item]) -> tuple[list[Item], int]:
    """What `look` finds for the names, and the status of the last failure: for commands that show all in one."""
    found: list[Item] = []
    status = 0
    for name in names:
        try:
            found.append(look(name))
        except PodError as error:
            status = _told(error)
    return found, status


def at_once(
    engine: Engine, names: Sequence[str], do: Callable[[str], str | None], what: str
) -> int:
    """The same with several names at a time, each in a process of its own; lines come in the order of the names.

    `what` completes "the process that should ...".
    """
    from pod.engine.parallel import for_each as in_children

    status = 0
    for _, result in in_children(engine, names, do, what):
        if isinstance(result, (PodError, OSError)):
            status = _told(result)
        elif isinstance(result, Exception):
            raise result
        elif result is not None:
            print(result)
    return status


def _told(error: PodError | OSError) -> int:
    from pod.cli.report import report

    if isinstance(error, BrokenPipeError):
        raise error
    return report(error)
