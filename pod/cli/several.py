"""Several names on one command line: each is tried, failures are told one by one, and the exit status shows that there
was one."""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def for_each(names: Iterable[str], do: Callable[[str], str | None]) -> int:
    """Call `do` with each name and print what it returns, a line each. The status is that of the last failure."""
    status = 0
    for name in names:
        try:
            line = do(name)
        except (PodError, OSError) as error:
            from pod.cli.report import report

            if isinstance(error, BrokenPipeError):
                raise
            status = report(error)
        else:
            if line is not None:
                print(line)
    return status
