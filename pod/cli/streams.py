"""Archives on standard input and output: not from a keyboard, and not to a screen."""

from __future__ import annotations

import os

from pod.base.errors import PodError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

STDIN, STDOUT = 0, 1


def archive_output(option: str = "--output") -> int:
    """Standard output, for an archive. Raises UsageError when it is a terminal."""
    if os.isatty(STDOUT):
        raise UsageError(
            "an archive is not written to a terminal",
            hint=f"redirect the output, or use {option} FILE",
        )
    return STDOUT


def check_input(what: str) -> int:
    """Standard input, for an archive. Raises UsageError when it is a terminal."""
    if os.isatty(STDIN):
        raise UsageError(
            f"{what} is not read from a terminal", hint="redirect the input, or name a file"
        )
    return STDIN


class ArchiveInput:
    """The archive `source`, a file or "-" for standard input, as a descriptor while the context lasts."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._fd = -1

    def __enter__(self) -> int:
        if self._source == "-":
            return check_input("an archive")
        try:
            self._fd = os.open(self._source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise PodError(f"'{self._source}' cannot be read: {error.strerror}") from error
        return self._fd

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._fd >= 0:
            os.close(self._fd)
