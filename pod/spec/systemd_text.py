"""Words and values in the unit files of systemd: how a command line is written, read, and split.

Sources: systemd.service(5), "Command lines"; systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers".
"""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_WHITE = " \t\n\r"
_PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:=,@%$!~^*?[]{}()<>|&#"
)
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "s": " ",
}
_WRITTEN = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


class BadQuoting(PodError):
    """A value cannot be split into words."""


def fixed(value: str) -> str:
    """The value as it must be written so that systemd sees no specifiers in it."""
    return value.replace("%", "%%")


def literal(word: str) -> str:
    """The word of a command line as it must be written so that systemd expands neither specifiers nor variables."""
    return fixed(word).replace("$", "$$")


def quote(word: str) -> str:
    """The word in quotes where it needs them; specifiers and variables in it stay."""
    if word and _PLAIN.issuperset(word):
        return word
    return '"' + "".join(_written(character) for character in word) + '"'


def _written(character: str) -> str:
    if character in _WRITTEN:
        return _WRITTEN[character]
    return f"\\x{ord(character):02x}" if character < " " or character == "\x7f" else character


def join(words: Iterable[str]) -> str:
    """A command line of these words, of which nothing is expanded."""
    return " ".join(quote(literal(word)) for word in words)


def split(text: str, *, keep_unknown: bool = False) -> list[str]:
    """The words of a value, without their quotes and escapes.

    With `keep_unknown` a backslash before any other character stays as it is (systemd's EXTRACT_RELAX, as in Exec
    lines of units); else it is an error. Raises BadQuoting.
    """
    words: list[str] = []
    position, length = 0, len(text)
    while True:
        while position < length and text[position] in _WHITE:
            position += 1
        if position >= length:
            return words
        pieces: list[str] = []
        closing = ""
        while position < length:
            character = text[position]
            if character == "\\":
                piece, position = _unescape(text, position, keep_unknown=keep_unknown)
                pieces.append(piece)
                continue
            position += 1
            if closing:
                if character == closing:
                    closing = ""
                    continue
            elif character in "\"'":
                closing = character
                continue
            elif character in _WHITE:
                break
            pieces.append(character)
        if closing:
            raise BadQuoting(f"a quote {closing} is not closed in '{text}'")
        word = "".join(pieces)
        # A semicolon of its own would begin the next command (systemd.service(5), "Command lines").
        words.append(";" if keep_unknown and word == "\\;" else word)


def _unescape(text: str, position: int, *, keep_unknown: bool) -> tuple[str, int]:
    """What the escape at `position` stands for, and where it ends."""
    kind = text[position + 1 : position + 2]
    if kind in _ESCAPES:
        return _ESCAPES[kind], position + 2
    digits, base = {"x": (2, 16), "u": (4, 16), "U": (8, 16)}.get(kind, (3, 8))
    start = position + 1 if base == 8 else position + 2
    number = text[start : start + digits]
    try:
        if len(number) == digits and number.isalnum() and (code := int(number, base)):
            return chr(code), start + digits
    except (ValueError, OverflowError):
        pass
    if keep_unknown and kind:
        return text[position : position + 2], position + 2
    raise BadQuoting(f"'{text[position : position + 2]}' is no escape, in '{text}'")
