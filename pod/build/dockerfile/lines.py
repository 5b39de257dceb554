"""From the bytes of a build file to logical lines: directives, comments, continuations, heredocs.

Source: Dockerfile reference, "Parser directives", "Format", "Here-documents".
"""

from __future__ import annotations

from pod.base.records import Record
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.instructions import Heredoc, Place
from pod.build.dockerfile.words import BLANKS, first_word, heredoc_of, lexed_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_DIRECTIVES = ("syntax", "escape", "check")
_WITH_HEREDOCS = ("ADD", "COPY", "RUN")


class Directives(Record):
    """What stands in comments at the very top: `# escape=` and the like. `check` and `syntax` are as written."""

    escape: str = "\\"
    syntax: str = ""
    check: str = ""


class LogicalLine(Record):
    """One instruction: its lines joined, comments and blank lines within it left out."""

    text: str
    place: Place
    heredocs: tuple[Heredoc, ...] = ()
    has_blank_continuation: bool = False
    comment: str = ""  # the comment lines directly above, joined


def read_lines(contents: bytes, name: str) -> tuple[Directives, list[LogicalLine]]:
    """The directives and the instructions of the file that is called `name` in errors. Raises DockerfileError."""
    physical = _physical_lines(contents, name)
    directives, index = _directives(physical, name)
    logical = []
    comment: list[str] = []
    while index < len(physical):
        line = physical[index].strip(BLANKS)
        if not line or line.startswith("#"):
            comment = [*comment, line[1:].strip()] if line else []
            index += 1
            continue
        read, index = _logical_line(physical, index, directives.escape, name)
        logical.append(read.replace(comment="\n".join(comment)) if comment else read)
        comment = []
    return directives, logical


def _physical_lines(contents: bytes, name: str) -> list[str]:
    """The lines without their ends; a carriage return before the end is kept, for heredocs."""
    if b"\0" in contents:
        number = contents[: contents.index(b"\0")].count(b"\n") + 1
        raise DockerfileError(None, f"{name}:{number}: this is no text: the line has a NUL byte")
    text = contents.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    lines = text.split("\n")
    return lines[:-1] if not lines[-1] else lines


def _directives(physical: Sequence[str], name: str) -> tuple[Directives, int]:
    """They end at the first line that is none, be it blank or a comment."""
    found: dict[str, str] = {}
    index = 1 if physical and physical[0].startswith("#!") else 0
    while index < len(physical):
        line = physical[index].strip(BLANKS)
        word, equals, value = line[1:].partition("=")
        word = word.strip(BLANKS).lower()
        if (
            not line.startswith("#")
            or not equals
            or word not in _DIRECTIVES
            or not value.strip(BLANKS)
        ):
            break
        place = Place(file=name, first=index + 1, last=index + 1, lines=(line,))
        if word in found:
            raise DockerfileError(place, f"the directive '{word}' is given twice")
        found[word] = value.strip(BLANKS)
        if word == "escape" and found[word] not in ("\\", "`"):
            raise DockerfileError(
                place, f"the escape character is \\ or `, and '{found[word]}' is neither"
            )
        index += 1
    return Directives(**found), index


def _logical_line(
    physical: Sequence[str], start: int, escape: str, name: str
) -> tuple[LogicalLine, int]:
    text, more = without_continuation(physical[start].strip(BLANKS), escape)
    index = start + 1
    blank = False
    while more and index < len(physical):
        line = physical[index].rstrip("\r")
        index += 1
        stripped = line.strip(BLANKS)
        if stripped.startswith("#"):
            continue
        if not stripped:
            blank = True
            continue
        continued, more = without_continuation(line, escape)
        text += continued

    def place(last: int) -> Place:
        lines = tuple(line.rstrip("\r") for line in physical[start:last])
        return Place(file=name, first=start + 1, last=last, lines=lines)

    heredocs = []
    for begun in heredocs_begun(text, place(index)):
        content: list[str] = []
        while True:
            if index == len(physical):
                raise DockerfileError(
                    place(min(start + 1, index)),
                    f"the heredoc '{begun.name}' has no end: a line with '{begun.name}' alone is missing",
                )
            line = physical[index]
            index += 1
            end = line.rstrip("\r")
            if (end.lstrip("\t") if begun.chomp else end) == begun.name:
                break
            content.append(line + "\n")
        heredocs.append(begun.replace(content="".join(content)))
    return LogicalLine(
        text=text.rstrip(BLANKS),
        place=place(index),
        heredocs=tuple(heredocs),
        has_blank_continuation=blank,
    ), index


def without_continuation(line: str, escape: str) -> tuple[str, bool]:
    """The line without the escape character at its end, and whether there was one. A doubled one is none."""
    stripped = line.rstrip(BLANKS)
    if not stripped.endswith(escape) or stripped.endswith(escape * 2):
        return line, False
    return stripped[:-1], True


def heredocs_begun(text: str, place: Place) -> list[Heredoc]:
    """The heredocs that an instruction announces, without content. The JSON form has none."""
    if "<<" not in text:
        return []
    word, rest = first_word(text)
    if word.upper() == "ONBUILD":
        word, rest = first_word(rest)
    if word.upper() not in _WITH_HEREDOCS or rest.lstrip(BLANKS).startswith("["):
        return []
    return [found for word in lexed_words(rest) if (found := heredoc_of(word, place)) is not None]
