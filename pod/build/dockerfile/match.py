"""Patterns for paths, as Go has them: those of COPY (filepath.Match) and those of ignore files (with `**`).

`*` and `?` match no slash; `[a-z]` and `[^a-z]` are sets, in which `!` means nothing; a backslash protects what
follows. Source: https://pkg.go.dev/path/filepath#Match; Dockerfile reference; moby/patternmatcher's documentation.
"""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_WILDCARDS = frozenset("*?[\\")


class BadPattern(PodError):
    """A pattern that is none, such as one with '[' and without ']'."""

    def __init__(self, pattern: str, problem: str) -> None:
        super().__init__(f"'{pattern}' is no pattern: {problem}")


def has_wildcard(text: str) -> bool:
    """Whether `text` stands for anything but itself."""
    return not _WILDCARDS.isdisjoint(text)


def as_pattern(path: str) -> str:
    """A pattern that matches `path` and nothing else."""
    return "".join(f"\\{letter}" if letter in _WILDCARDS else letter for letter in path)


def name_matcher(pattern: str) -> Callable[[str], object]:
    """A function that says whether a name (one part of a path) matches. Raises BadPattern."""
    return _compiled(_translate(pattern, stars=False))


def path_matcher(pattern: str) -> Callable[[str], object]:
    """A function that says whether a path matches; `**` is any number of directories. Raises BadPattern."""
    return _compiled(_translate(pattern, stars=True))


def _compiled(expression: str) -> Callable[[str], object]:
    import re  # heavy

    return re.compile(expression, re.DOTALL).fullmatch


def _translate(pattern: str, *, stars: bool) -> str:
    from re import escape  # heavy

    result = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            twice = pattern[position : position + 1] == "*"
            if twice and stars:
                position += 1
                position += pattern[position : position + 1] == "/"
                result.append(".*" if position == len(pattern) else "(?:.*/)?")
            else:
                while pattern[position : position + 1] == "*" and not stars:
                    position += 1
                result.append("[^/]*")
        elif character == "?":
            result.append("[^/]")
        elif character == "[":
            text, position = _set(pattern, position)
            result.append(text)
        elif character == "\\":
            if position == len(pattern):
                raise BadPattern(pattern, "nothing follows the backslash at its end")
            result.append(escape(pattern[position]))
            position += 1
        else:
            result.append(escape(character))
    return "".join(result)


def _set(pattern: str, position: int) -> tuple[str, int]:
    """What stands between brackets; `position` is behind the first one."""
    from re import escape  # heavy

    negated = pattern[position : position + 1] == "^"
    position += negated
    ranges: list[str] = []
    while True:
        if pattern[position : position + 1] == "]" and ranges:
            break
        low, position = _member(pattern, position)
        high = low
        if pattern[position : position + 1] == "-":
            high, position = _member(pattern, position + 1)
        if high < low:
            raise BadPattern(pattern, f"the range from '{low}' to '{high}' is empty")
        ranges.append(f"{escape(low)}-{escape(high)}")
    members = "".join(ranges)
    # Not the slash, which "[^a]" would match otherwise: patterns are for parts of paths.
    return (f"[^/{members}]" if negated else f"[{members}]"), position + 1


def _member(pattern: str, position: int) -> tuple[str, int]:
    character = pattern[position : position + 1]
    if character == "\\":
        position += 1
        character = pattern[position : position + 1]
    elif character in ("-", "]"):
        raise BadPattern(
            pattern, f"'{character}' stands where a character is needed between brackets"
        )
    if not character:
        raise BadPattern(pattern, "a ']' is missing")
    return character, position + 1
