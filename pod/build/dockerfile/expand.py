"""Variables in the words of a build file: `$NAME`, `${NAME}`, and the operators.

    ${A:-word} ${A-word}    word if A is unset (or empty, with the colon)
    ${A:+word} ${A+word}    word if A is set (and not empty, with the colon)
    ${A:?word} ${A?word}    an error that says word if A is unset (or empty)
    ${A#word}  ${A##word}   without the shortest or longest beginning that matches
    ${A%word}  ${A%%word}   without the shortest or longest end that matches
    ${A/pattern/word}  ${A//pattern/word}   the first match, or all, replaced

In patterns, `*` and `?` are special; quotes are taken away, '...' protects everything, "..." all but variables. Source:
Dockerfile reference, "Environment replacement".
"""

from __future__ import annotations

from pod.base.errors import PodError
from pod.build.dockerfile.words import BLANKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_DIGITS = frozenset("0123456789")
_NAME = _NAME_START | _DIGITS
_SPECIAL = frozenset("@*#?-$!0")
_DEEPEST = 100


class ExpansionError(PodError):
    """A word that cannot be expanded; who knows the place of it says so in a DockerfileError."""


class Names:
    """Variables that were looked up: all, and those that had no value where nothing stands in for them."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.missing: set[str] = set()


def expand(
    text: str, variables: Mapping[str, str], escape: str = "\\", *, names: Names | None = None
) -> str:
    """`text` as one word, without its quotes. What was looked up is noted in `names`. Raises ExpansionError."""
    return _Lexer(text, variables, escape, names).whole()


def expand_words(
    text: str, variables: Mapping[str, str], escape: str = "\\", *, names: Names | None = None
) -> list[str]:
    """As `expand`, cut at blanks outside of quotes, those in values of variables included."""
    lexer = _Lexer(text, variables, escape, names)
    lexer.whole()
    return lexer.words()


def expand_heredoc(
    text: str, variables: Mapping[str, str], escape: str = "\\", *, names: Names | None = None
) -> str:
    """The lines of a heredoc: quotes mean nothing there, and an escape only before `$` and itself."""
    return _Lexer(text, variables, escape, names).heredoc()


class _Lexer:
    def __init__(
        self, text: str, variables: Mapping[str, str], escape: str, names: Names | None
    ) -> None:
        self._text = text
        self._variables = variables
        self._escape = escape
        self._names = names if names is not None else Names()
        self._position = 0
        self._depth = 0
        self._split: list[list[str]] = [[]]  # pieces of words, for `words`
        self._begun = False

    def whole(self) -> str:
        result = self._until("")
        self._end_word()
        return result

    def words(self) -> list[str]:
        return ["".join(pieces) for pieces in self._split if pieces]

    def heredoc(self) -> str:
        result = []
        while self._position < len(self._text):
            character = self._text[self._position]
            if character == self._escape and self._peek(1) in ("$", self._escape):
                result.append(self._peek(1))
                self._position += 2
            elif character == "$":
                result.append(self._dollar())
            else:
                result.append(character)
                self._position += 1
        return "".join(result)

    def _peek(self, ahead: int = 0) -> str:
        return self._text[self._position + ahead : self._position + ahead + 1]

    def _run(self, stops: str) -> str:
        """Text up to the first of the characters `stops`, or to the end."""
        text, start = self._text, self._position
        end, length = start, len(text)
        while end < length and text[end] not in stops:
            end += 1
        self._position = end
        return text[start:end]

    def _until(self, stop: str, *, raw: bool = False) -> str:
        """Text up to the unquoted character `stop`, which is taken, or to the end where it is "".

        With `raw`, escapes stay in the text, for a pattern.
        """
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpansionError("variables are nested too deeply")
        result: list[str] = []
        outermost = self._depth == 1
        while True:
            character = self._peek()
            if not character:
                if stop:
                    raise ExpansionError(f"'{stop}' is missing in '{self._text}'")
                break
            if character == stop:
                self._position += 1
                break
            if character in "'\"":
                piece = self._quoted(raw=raw)
                self._add(piece, outermost, quoted=True)
            elif character == "$":
                piece = self._dollar()
                self._add(piece, outermost, quoted=False)
            elif character == self._escape:
                following = self._peek(1)
                self._position += 1 + len(following)
                piece = following or character
                if raw and following:
                    piece = (
                        "\\" + following
                    )  # what protects in a pattern, whatever does in the file
                self._add(piece, outermost, quoted=True)
            else:
                piece = self._run(f"'\"${self._escape}{stop}")
                self._add(piece, outermost, quoted=False)
            result.append(piece)
        self._depth -= 1
        return "".join(result)

    def _add(self, piece: str, outermost: bool, *, quoted: bool) -> None:
        if not outermost:
            return
        if quoted or not any(blank in piece for blank in BLANKS):
            if quoted or piece:
                self._split[-1].append(piece)
            return
        for character in piece:
            if character in BLANKS:
                self._end_word()
            else:
                self._split[-1].append(character)

    def _end_word(self) -> None:
        if self._split[-1]:
            self._split.append([])

    def _quoted(self, *, raw: bool) -> str:
        quote = self._text[self._position]
        self._position += 1
        result: list[str] = []
        stops = quote + (f"${self._escape}" if quote == '"' else "") + ("*?\\" if raw else "")
        while True:
            result.append(self._run(stops))
            character = self._peek()
            if not character:
                name = "single" if quote == "'" else "double"
                raise ExpansionError(f"a {name} quote in '{self._text}' has no end")
            if character == quote:
                self._position += 1
                return "".join(result)
            if quote == '"' and character == "$":
                result.append(self._dollar())
            elif (
                quote == '"'
                and character == self._escape
                and self._peek(1)
                in (
                    '"',
                    "$",
                    self._escape,
                )
            ):
                result.append("\\" * raw + self._peek(1))
                self._position += 2
            else:
                if raw and character in "*?\\":
                    result.append("\\")
                result.append(character)
                self._position += 1

    def _dollar(self) -> str:
        self._position += 1
        if self._peek() != "{":
            name = self._name()
            return self._plain(name) if name else "$"
        self._position += 1
        return self._braces()

    def _name(self) -> str:
        start = self._position
        first = self._peek()
        if first in _NAME_START and first:
            while self._peek() and self._peek() in _NAME:
                self._position += 1
        elif first and first in _DIGITS:
            while self._peek() and self._peek() in _DIGITS:
                self._position += 1
        elif first and first in _SPECIAL:
            self._position += 1
        return self._text[start : self._position]

    def _value(self, name: str) -> str | None:
        self._names.used.add(name)
        return self._variables.get(name)

    def _plain(self, name: str) -> str:
        value = self._value(name)
        if value is None:
            self._names.missing.add(name)
        return value or ""

    def _braces(self) -> str:
        name = self._name()
        operator = self._peek()
        if not operator:
            raise ExpansionError(f"'}}' is missing in '{self._text}'")
        if not name:
            raise ExpansionError(f"a name is missing after '${{' in '{self._text}'")
        self._position += 1
        if operator == "}":
            return self._plain(name)
        if operator == "/":
            return self._replaced(name)
        colon = operator == ":"
        if colon:
            operator = self._peek()
            self._position += len(operator)
        if not operator or operator not in "-+?" + ("" if colon else "#%"):
            shown = ":" * colon + operator
            raise ExpansionError(f"'{shown}' is no operator in '{self._text}', after '${{{name}'")
        if operator in "#%":
            return self._trimmed(name, operator)
        self._depth += 1
        word = self._until("}")
        self._depth -= 1
        value = self._value(name)
        is_set = value is not None and not (colon and not value)
        if operator == "-":
            return value or "" if is_set else word
        if operator == "+":
            return word if is_set else ""
        if not is_set:
            state = "empty" if value is not None else "not set"
            raise ExpansionError(
                f"the variable '{name}' is {state}" + (f": {word}" if word else "")
            )
        return value or ""

    def _trimmed(self, name: str, operator: str) -> str:
        longest = self._peek() == operator
        self._position += longest
        pattern = self._nested("}")
        value = self._plain(name)
        matches = _matcher(pattern)
        lengths = range(len(value), -1, -1) if longest else range(len(value) + 1)
        for length in lengths:
            part = value[:length] if operator == "#" else value[len(value) - length :]
            if matches(part):
                return value[length:] if operator == "#" else value[: len(value) - length]
        return value

    def _replaced(self, name: str) -> str:
        import re  # few files have this

        everywhere = self._peek() == "/"
        self._position += everywhere
        pattern = self._nested("/")
        self._depth += 1
        replacement = self._until("}")
        self._depth -= 1
        value = self._plain(name)
        if not pattern:
            return value
        return re.sub(
            _regex(pattern),
            lambda _: replacement,
            value,
            count=0 if everywhere else 1,
            flags=re.DOTALL,
        )

    def _nested(self, stop: str) -> str:
        self._depth += 1
        pattern = self._until(stop, raw=True)
        self._depth -= 1
        return pattern


def _matcher(pattern: str) -> Callable[[str], object]:
    import re  # few files have this

    compiled = re.compile(_regex(pattern), re.DOTALL)
    return compiled.fullmatch


def _regex(pattern: str) -> str:
    import re

    result, position = "", 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\" and position + 1 < len(pattern):
            position += 1
            result += re.escape(pattern[position])
        elif character == "*":
            result += ".*"
        elif character == "?":
            result += "."
        else:
            result += re.escape(character)
        position += 1
    return result
