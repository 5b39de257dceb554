"""`.containerignore` and `.dockerignore`: which paths of a build context are not there for the build.

The last line that matches a path, or a directory that it is in, decides; lines with `!` take back. Patterns hold from
the root of the context, with or without a leading slash. Source: Dockerfile reference, ".dockerignore files";
containerignore(5).
"""

from __future__ import annotations

import posixpath

from pod.base.errors import PodError
from pod.base.records import Record
from pod.build.dockerfile.match import BadPattern, has_wildcard, path_matcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    State = tuple[bool, ...]


class _Pattern(Record):
    matches: Callable[[str], object]
    negated: bool
    fixed: str  # the directory that all its matches are in, as far as it has no wildcard


class IgnoreRules:
    """The rules of one ignore file, or of --exclude.

    A walk hands each directory's state to its children: whether each rule matches it, or one that it is in.
    """

    def __init__(self, lines: Iterable[str], name: str = "") -> None:
        """`name` is the file's, for errors. Raises PodError for a line that is no pattern."""
        self.name = name
        self._patterns: list[_Pattern] = []
        for number, line in enumerate(lines, 1):
            try:
                pattern = _parse(line)
            except BadPattern as error:
                place = f"{name}:{number}: " if name else ""
                raise PodError(f"{place}{error.message}") from error
            if pattern is not None:
                self._patterns.append(pattern)
        self.root: State = (False,) * len(self._patterns)
        self._taken_back = [pattern.fixed for pattern in self._patterns if pattern.negated]

    @classmethod
    def parse(cls, contents: bytes, name: str) -> IgnoreRules:
        """The rules of a file. Raises PodError for a line that is no pattern."""
        text = contents.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
        return cls(("" if line.startswith("#") else line for line in text.split("\n")), name)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def ignores(self, path: str) -> bool:
        """Whether `path`, relative to the root of the context, is ignored."""
        state = self.root
        ignored = False
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            ignored, state = self.child("/".join(parts[:count]), state)
        return ignored

    def child(self, path: str, state: State) -> tuple[bool, State]:
        """Whether `path` is ignored, and its state; `state` is that of the directory that it is in."""
        if not self._patterns:
            return False, state
        matched = tuple(
            [
                known or pattern.matches(path) is not None
                for pattern, known in zip(self._patterns, state, strict=True)
            ]
        )
        ignored = False
        for pattern, hit in zip(self._patterns, matched, strict=True):
            if hit:
                ignored = not pattern.negated
        return ignored, matched

    def may_take_back_below(self, directory: str) -> bool:
        """Whether a line with `!` may be about something inside of this ignored directory."""
        return any(
            not fixed
            or f"{fixed}/".startswith(f"{directory}/")
            or f"{directory}/".startswith(f"{fixed}/")
            for fixed in self._taken_back
        )


def _parse(line: str) -> _Pattern | None:
    text = line.strip()
    negated = text.startswith("!")
    if negated:
        text = text[1:].strip()
        if not text:
            raise BadPattern("!", "a path is missing after it")
    if not text:
        return None
    cleaned = posixpath.normpath(text).lstrip("/")
    if not cleaned or cleaned == ".":
        return None
    fixed = []
    for part in cleaned.split("/"):
        if has_wildcard(part):
            break
        fixed.append(part)
    return _Pattern(matches=path_matcher(cleaned), negated=negated, fixed="/".join(fixed))
