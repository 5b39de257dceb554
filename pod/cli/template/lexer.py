"""Template text -> tokens: the text between actions, and the words inside them.

Source: text/template of Go, "Text and spaces" and "Arguments". Inside an action, whether white space stands before a
word matters (`.A.B` is one operand, `.A .B` are two), so each token remembers it.
"""

from __future__ import annotations

import re

from pod.base.records import Record
from pod.cli.template.errors import TemplateError

LEFT, RIGHT = "{{", "}}"
_SPACE = " \t\r\n"
_WORD = re.compile(
    r"""
    (?P<raw>`[^`]*`)
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<char>'(?:\\.[^']*|[^'\\\n])')
  | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
                    |(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)(?![\w.]))
  | (?P<variable>\$\w*)
  | (?P<field>\.[^\W\d]\w*)
  | (?P<dot>\.)
  | (?P<name>[^\W\d]\w*)
  | (?P<declare>:=)
  | (?P<sign>[=|(),])
    """,
    re.VERBOSE,
)
_ENDS = frozenset("|,)(:.=") | frozenset(_SPACE)


class Token(Record):
    """`kind` is "text", "end" (of an action or of everything), or a group of the expression above."""

    kind: str
    text: str
    offset: int
    spaced: bool = False
    """Whether white space stands before it."""


def tokenize(text: str) -> list[Token]:
    """The tokens of a whole template; raises TemplateError.

    Actions come as "open", their words, "end"; a last "end" stands for the end of the template.
    """
    tokens: list[Token] = []
    position, trim = 0, False
    while True:
        left = text.find(LEFT, position)
        plain = text[position:left] if left >= 0 else text[position:]
        if trim:
            plain = plain.lstrip(_SPACE)
        if (
            left >= 0
            and text[left + 2 : left + 3] == "-"
            and text[left + 3 : left + 4] in tuple(_SPACE)
        ):
            plain = plain.rstrip(_SPACE)
        if plain:
            tokens.append(Token("text", plain, position))
        if left < 0:
            break
        position, trim = _action(text, left, tokens)
    tokens.append(Token("end", "", len(text)))
    return tokens


def _action(text: str, left: int, tokens: list[Token]) -> tuple[int, bool]:
    """The tokens of the action at `left`; returns where it ends, and whether it trims the text behind it."""
    position = left + len(LEFT)
    if text[position : position + 1] == "-" and text[position + 1 : position + 2] in tuple(_SPACE):
        position += 2
    if text.startswith("/*", position):
        return _comment(text, left, position)
    tokens.append(Token("open", LEFT, left))
    depth, spaced = 0, False
    while True:
        if text.startswith(RIGHT, position):
            tokens.append(Token("end", RIGHT, position))
            return _close(text, left, position, depth), False
        if spaced and text.startswith("-" + RIGHT, position):
            tokens.append(Token("end", RIGHT, position))
            return _close(text, left, position + 1, depth), True
        if position == len(text):
            raise TemplateError("the action is not closed with '}}'", text, left)
        if text[position] in _SPACE:
            position, spaced = position + 1, True
            continue
        match = _WORD.match(text, position)
        if match is None or match.lastgroup is None:
            raise TemplateError(_complaint(text, position), text, position)
        kind, word = match.lastgroup, match.group()
        end = match.end()
        if kind in ("variable", "field", "name", "dot", "string", "raw", "char", "number"):
            _check_end(text, position, end, kind)
        depth += (word == "(") - (word == ")")
        if depth < 0:
            raise TemplateError("')' closes nothing", text, position)
        tokens.append(Token(kind, word, position, spaced))
        position, spaced = end, False


def _close(text: str, left: int, position: int, depth: int) -> int:
    if depth:
        raise TemplateError("'(' is not closed", text, left)
    return position + len(RIGHT)


def _comment(text: str, left: int, position: int) -> tuple[int, bool]:
    end = text.find("*/", position)
    if end < 0:
        raise TemplateError("the comment is not closed with '*/'", text, left)
    end += 2
    trim = text[end : end + 2] in tuple(space + "-" for space in _SPACE)
    if trim:
        end += 2
    if not text.startswith(RIGHT, end):
        raise TemplateError("a comment ends with '*/}}'", text, end)
    return end + len(RIGHT), trim


def _check_end(text: str, start: int, end: int, kind: str) -> None:
    """A word ends at white space, a sign, or the end of the action; `.A"b"` is a mistake."""
    if end == len(text) or text[end] in _ENDS or text.startswith(RIGHT, end):
        return
    if kind == "dot" and text[end] in "$\"'`":
        raise TemplateError(f"'{text[end]}' cannot follow '.'", text, end)
    if kind != "dot":
        raise TemplateError(f"'{text[end]}' cannot follow '{text[start:end]}'", text, end)


def _complaint(text: str, position: int) -> str:
    letter = text[position]
    if letter in "\"'`":
        return f"the quote {letter} is not closed"
    return f"'{letter}' means nothing here"
