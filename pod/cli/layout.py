"""Text laid out for a terminal: wrapped paragraphs, definition lists, sections.

click has the same, but importing click takes longer than everything else that a help text needs.
"""

from __future__ import annotations

import os

_MOST_COLUMNS = 110
_FEWEST_COLUMNS = 50
_WIDEST_TERM = 32
_GAP = 2


def terminal_columns() -> int:
    """How wide the terminal is, or COLUMNS says; 80 when neither tells."""
    typed = os.environ.get("COLUMNS", "")
    if typed.isdecimal() and int(typed):
        return int(typed)
    for fd in (1, 2, 0):
        try:
            columns = os.get_terminal_size(fd).columns
        except OSError:
            continue
        if columns:
            return columns
    return 80


class Layout:
    """Collects the parts of a page; `text` is the page."""

    def __init__(self, columns: int | None = None) -> None:
        columns = terminal_columns() if columns is None else columns
        self.width = max(min(columns, _MOST_COLUMNS), _FEWEST_COLUMNS)
        self._lines: list[str] = []

    def text(self) -> str:
        return "\n".join(self._lines).strip("\n") + "\n"

    def usage(self, program: str, arguments: str) -> None:
        begin = f"Usage: {program} "
        indent = len(begin) if len(begin) + 20 <= self.width else 8
        lines = wrap(arguments, self.width - indent)
        if indent != len(begin):
            self._lines.append(begin.rstrip())
        for number, line in enumerate(lines):
            first = number == 0 and indent == len(begin)
            self._lines.append((begin if first else " " * indent) + line)
        self._lines.append("")

    def paragraphs(self, text: str) -> None:
        """Paragraphs separated by blank lines; a line that begins with a blank stays as it is."""
        for part in text.strip("\n").split("\n\n"):
            if part.startswith(" "):
                self._lines += part.split("\n")
            else:
                self._lines += wrap(part, self.width)
            self._lines.append("")

    def heading(self, text: str) -> None:
        self._lines.append(f"{text}:")

    def verbatim(self, lines: tuple[str, ...]) -> None:
        self._lines += [f"  {line}" for line in lines]
        self._lines.append("")

    def definitions(self, rows: list[tuple[str, str]]) -> None:
        """Terms and what they mean, in two columns."""
        widest = max((len(term) for term, _ in rows if len(term) <= _WIDEST_TERM), default=0)
        start = 2 + widest + _GAP
        for term, meaning in rows:
            lines = wrap(meaning, max(self.width - start, 20))
            if len(term) > widest or not lines:
                self._lines.append(f"  {term}")
            else:
                self._lines.append(f"  {term}".ljust(start) + lines.pop(0))
            self._lines += [" " * start + line for line in lines]
        self._lines.append("")


def wrap(text: str, width: int) -> list[str]:
    """The words of `text` in lines of at most `width` characters; a longer word has a line of its own."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if not line:
            line = word
        elif len(line) + 1 + len(word) <= width:
            line += f" {word}"
        else:
            lines.append(line)
            line = word
    return [*lines, line] if line else lines
