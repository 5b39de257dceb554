"""What is said when a build file cannot be understood, with the lines that it is about."""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pod.build.dockerfile.instructions import Place

_SHOWN_LINES = 12


class DockerfileError(PodError):
    """An error in a build file: where, what was expected, and the lines themselves below that.

    `place` is None for errors about the file as a whole; `problem` is the sentence alone.
    """

    def __init__(self, place: Place | None, problem: str, *, hint: str | None = None) -> None:
        self.place = place
        self.problem = problem
        message = f"{place.where}: {problem}{quoted(place)}" if place is not None else problem
        super().__init__(message, hint=hint)


def quoted(place: Place) -> str:
    """The lines of `place` with their numbers, each on a line of its own, after a line break."""
    return quoted_lines(place.first, place.last, place.lines)


def quoted_lines(first: int, last: int, lines: Sequence[str]) -> str:
    """As `quoted`, of `lines` with the numbers from `first` to `last`."""
    width = len(str(last))
    shown = [
        f"\n  {first + index:>{width}} | {line}" for index, line in enumerate(lines[:_SHOWN_LINES])
    ]
    if len(lines) > _SHOWN_LINES:
        shown.append(f"\n  {'':>{width}} | ... ({len(lines) - _SHOWN_LINES} more lines)")
    return "".join(shown)
