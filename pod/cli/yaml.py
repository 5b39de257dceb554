"""YAML out, for documents that people read: the block style, keys sorted, as `podman info` prints it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# What YAML 1.1 readers take for something else than text.
_WORDS = frozenset("true false yes no on off y n null ~ .nan .inf -.inf".split())
_SPECIAL_FIRST = frozenset("-?:,[]{}#&*!|>'\"%@`= ")
_NUMBER = frozenset("0123456789+-.eExo_:")


def text(value: Any) -> str:
    """The document as YAML."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from _entry(f"{_scalar(str(key))}:", value[key], indented=True)
    elif isinstance(value, list | tuple) and value:
        for item in value:
            if isinstance(item, dict) and item:
                first, *rest = _lines(item)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
            else:
                yield from _entry("-", item, indented=True)
    else:
        yield _scalar(value)


def _entry(head: str, value: Any, *, indented: bool) -> Iterator[str]:
    """A key or a dash, with its value behind it or below it."""
    if isinstance(value, dict | list | tuple) and value:
        yield head
        margin = "" if isinstance(value, list | tuple) else "  "
        yield from (f"{margin}{line}" for line in _lines(value))
    elif isinstance(value, str) and "\n" in value:
        yield f"{head} |-"
        yield from (f"  {line}" for line in value.rstrip("\n").split("\n"))
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    if not isinstance(value, str):
        return str(value)
    return _quoted(value) if _needs_quotes(value) else value


def _needs_quotes(text: str) -> bool:
    return (
        not text
        or text.lower() in _WORDS
        or text[0] in _SPECIAL_FIRST
        or text[-1] in " :"
        or ": " in text
        or " #" in text
        or not text.isprintable()
        or (text[0] in "0123456789+-." and _NUMBER.issuperset(text))
    )


def _quoted(text: str) -> str:
    from json import dumps

    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return dumps(text, ensure_ascii=False)  # YAML's double quotes have JSON's escapes
