"""How the text after an instruction's name is cut: flags, words, pairs, JSON, heredoc names.

Nothing is expanded here, and quotes and escapes stay in the words, since whether a `$` counts depends on them.
Source: Dockerfile reference; the grammar of flags and of old and new forms of ENV as BuildKit has them.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.instructions import Heredoc, Pair, Place

# Python's own idea of blanks has more: separators of information, and blanks that do not break.
BLANKS = " \t\v\f\r\n"
_QUOTES = "'\""


class Flag(Record):
    """`--name=value`; `value` is None without an equals sign."""

    name: str
    value: str | None


def first_word(text: str) -> tuple[str, str]:
    """The first word, and what comes after the blanks behind it."""
    stripped = text.strip(BLANKS)
    end = next((i for i, character in enumerate(stripped) if character in BLANKS), len(stripped))
    return stripped[:end], stripped[end:].lstrip(BLANKS)


def split_blanks(text: str) -> list[str]:
    """Words between blanks; quotes mean nothing."""
    for blank in BLANKS[1:]:
        text = text.replace(blank, " ")
    return [word for word in text.split(" ") if word]


def split_flags(text: str, escape: str) -> tuple[list[Flag], str]:
    """The flags at the beginning of `text`, and what follows them. `--` ends them. Quotes in them are taken away."""
    flags: list[Flag] = []
    rest = text.lstrip(BLANKS)
    while rest.startswith("--"):
        word, rest = _flag_word(rest, escape)
        if word == "--":
            break
        name, equals, value = word[2:].partition("=")
        flags.append(Flag(name=name, value=value if equals else None))
    return flags, rest


def _flag_word(text: str, escape: str) -> tuple[str, str]:
    word, quote, position = "", "", 0
    while position < len(text):
        character = text[position]
        if quote:
            if character == quote:
                quote = ""
            elif character == escape and position + 1 < len(text):
                position += 1
                word += text[position]
            else:
                word += character
        elif character in BLANKS:
            break
        elif character in _QUOTES:
            quote = character
        elif character == escape and position + 1 < len(text):
            position += 1
            word += text[position]
        else:
            word += character
        position += 1
    return word, text[position:].lstrip(BLANKS)


def lexed_words(text: str, escape: str = "\\") -> list[str]:
    """Words as a shell cuts them, with their quotes and escapes. A quote without its end reaches to the end."""
    words: list[str] = []
    quote, position, start = "", 0, -1
    while position < len(text):
        character = text[position]
        if not quote and character in BLANKS:
            if start >= 0:
                words.append(text[start:position])
            start = -1
        else:
            if start < 0:
                start = position
            if character == escape and quote != "'" and position + 1 < len(text):
                position += 1
            elif quote:
                quote = "" if character == quote else quote
            elif character in _QUOTES:
                quote = character
        position += 1
    return [*words, text[start:]] if start >= 0 else words


def pairs(text: str, instruction: str, place: Place, escape: str) -> tuple[tuple[Pair, ...], bool]:
    """NAME=VALUE..., or the old form NAME VALUE; the second value says that it is the old one."""
    words = lexed_words(text, escape)
    if "=" not in words[0]:
        name, value = first_word(text)
        if not value:
            raise DockerfileError(place, f"{instruction} needs a value: {instruction} {name}=VALUE")
        return (Pair(name=name, value=value),), True
    found = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise DockerfileError(
                place,
                f"'{word}' has no equals sign: {instruction} takes NAME=VALUE",
                hint="a value with spaces is written in quotes",
            )
        if not name:
            raise DockerfileError(place, f"a name is missing in {instruction} before '{word}'")
        found.append(Pair(name=name, value=value))
    return tuple(found), False


def json_words(text: str, instruction: str, place: Place) -> tuple[str, ...] | None:
    """The words of the JSON form. None where `text` is no JSON list at all: then it is the other form."""
    stripped = text.strip(BLANKS)
    if not stripped.startswith("["):
        return None
    import json  # heavy

    try:
        words = json.loads(stripped)
    except (ValueError, RecursionError):
        return None
    if not isinstance(words, list):
        return None
    if not all(isinstance(word, str) for word in words):
        raise DockerfileError(
            place, f'the JSON form of {instruction} is a list of texts: {instruction} ["A", "B"]'
        )
    return tuple(words)


def heredoc_of(word: str, place: Place) -> Heredoc | None:
    """The heredoc that `word` begins, as in `<<EOF`, `3<<-"EOF"`; None for any other word."""
    digits = word[: len(word) - len(word.lstrip("0123456789"))]
    rest = word[len(digits) :]
    if not rest.startswith("<<"):
        return None
    rest = rest[2:]
    chomp = rest.startswith("-")
    raw = rest[1:] if chomp else rest
    if not raw or "<" in raw:
        return None
    name = unquoted(raw)
    if name is None:
        raise DockerfileError(
            place, f"the name of the heredoc '{word}' has a quote without its end"
        )
    return Heredoc(name=name, content="", expand=name == raw, chomp=chomp) if name else None


def unquoted(word: str) -> str | None:
    """`word` without its quotes and escapes. None if a quote has no end."""
    result: list[str] = []
    quote, position = "", 0
    while position < len(word):
        character = word[position]
        if character == "\\" and quote != "'" and position + 1 < len(word):
            position += 1
            result.append(word[position])
        elif quote:
            if character == quote:
                quote = ""
            else:
                result.append(character)
        elif character in _QUOTES:
            quote = character
        else:
            result.append(character)
        position += 1
    return None if quote else "".join(result)
