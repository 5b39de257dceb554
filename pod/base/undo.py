"""Take back what was done when a later step fails: what contextlib.ExitStack does, without its 3 ms of imports."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Undo:
    """A context. Leaving it by an exception makes the calls that were added, the last one first.

    A call that fails itself does not keep the others from being made; the first error is the one that is raised.
    """

    def __init__(self) -> None:
        self._calls: list[Callable[[], object]] = []

    def add(self, call: Callable[[], object]) -> None:
        """Make this call if what follows fails."""
        self._calls.append(call)

    def __enter__(self) -> Undo:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if kind is None:
            return
        for call in reversed(self._calls):
            try:
                call()
            except Exception as another:  # noqa: BLE001  the error that is being raised says what went wrong
                another.__context__ = error
