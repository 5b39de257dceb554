"""The functions that a template can call: Go's own, and those that podman and docker add.

Source: text/template of Go, "Functions"; podman's "report" package and docker's `templates` for json, join, split,
lower, upper, title, pad, truncate. `and`, `or` and `call` are in the evaluator, since they decide what is evaluated.
"""

from __future__ import annotations

from pod.cli.template.errors import Problem
from pod.cli.template.values import (
    NO_VALUE,
    field_of,
    is_true,
    json_ready,
    kind_of,
    plain,
    text_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LETTERS_IN_URL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


def not_(value: Any) -> bool:
    return not is_true(value)


# Comparisons


def eq(first: Any, second: Any, *others: Any) -> bool:
    """Whether the first is equal to one of the others."""
    return any(_equal(first, other) for other in (second, *others))


def ne(first: Any, second: Any) -> bool:
    return not _equal(first, second)


def _equal(first: Any, second: Any) -> bool:
    first = None if first is NO_VALUE else first
    second = None if second is NO_VALUE else second
    if first is None or second is None:
        return first is second
    if _basic(first) != _basic(second) or _basic(first) == "":
        raise Problem(f"{kind_of(first)} and {kind_of(second)} cannot be compared")
    return bool(first == second)


def lt(first: Any, second: Any) -> bool:
    _check_ordered(first, second)
    return bool(first < second)


def le(first: Any, second: Any) -> bool:
    _check_ordered(first, second)
    return bool(first <= second)


def gt(first: Any, second: Any) -> bool:
    return not le(first, second)


def ge(first: Any, second: Any) -> bool:
    return not lt(first, second)


def _check_ordered(first: Any, second: Any) -> None:
    if _basic(first) != _basic(second) or _basic(first) not in ("number", "string"):
        raise Problem(f"{kind_of(first)} and {kind_of(second)} have no order")


def _basic(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else ""


# Parts of values


def length(value: Any) -> int:
    """Bytes of a string, entries of a list or a map."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, list | tuple | dict):
        return len(value)
    raise Problem(f"{kind_of(value)} has no length")


def index(value: Any, *keys: Any) -> Any:
    """`index x 1 "a"` is x[1]["a"]."""
    for key in keys:
        value = _entry(value, key)
    return value


def _entry(value: Any, key: Any) -> Any:
    if value is None or value is NO_VALUE:
        raise Problem(f"there is nothing to take the entry {_shown(key)} of")
    if isinstance(value, dict):
        if isinstance(key, list | tuple | dict):
            raise Problem(f"{kind_of(key)} cannot be a key")
        if key in value:
            return field_of(value, key)
        # Go gives the zero value of the map's type, which the other values show.
        kinds = {type(other) for other in value.values()}
        return "" if kinds == {str} else 0 if kinds == {int} else NO_VALUE
    if isinstance(value, list | tuple | str):
        if not isinstance(key, int) or isinstance(key, bool):
            raise Problem(f"{_shown(key)} is no index")
        items = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        if not 0 <= key < len(items):
            raise Problem(f"index {key} is out of range, there are {len(items)}")
        return items[key]
    raise Problem(f"{kind_of(value)} has no entries")


def slice_(value: Any, *bounds: Any) -> Any:
    """`slice x 1 2` is x[1:2]; strings are cut between bytes."""
    if not isinstance(value, str | list | tuple):
        raise Problem(f"{kind_of(value)} cannot be sliced")
    items = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    size = len(items)
    if len(bounds) > (2 if isinstance(value, str) else 3):
        raise Problem("too many bounds")
    previous = 0
    for bound in bounds:
        if not isinstance(bound, int) or isinstance(bound, bool):
            raise Problem(f"{_shown(bound)} is no index")
        if not previous <= bound <= size:
            raise Problem(f"index {bound} is out of range, there are {size}")
        previous = bound
    part = items[slice(*bounds[:2])] if len(bounds) > 1 else items[bounds[0] if bounds else 0 :]
    return part.decode("utf-8", "surrogateescape") if isinstance(part, bytes) else part


# Text


def print_(*values: Any) -> str:
    """Go's Sprint: a space between two values of which none is a string."""
    out = ""
    for position, value in enumerate(values):
        before = values[position - 1]
        if position and not isinstance(value, str) and not isinstance(before, str):
            out += " "
        out += plain(value)
    return out


def println(*values: Any) -> str:
    return " ".join(plain(value) for value in values) + "\n"


def printf(form: Any, *values: Any) -> str:
    from pod.cli.template.printf import sprintf

    return sprintf(_string(form), values)


def html(*values: Any) -> str:
    text = _joined(values)
    for letter, escape in (
        ("&", "&amp;"),
        ("'", "&#39;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ('"', "&#34;"),
    ):
        text = text.replace(letter, escape)
    return text.replace("\0", "\ufffd")


def js(*values: Any) -> str:
    out = []
    for letter in _joined(values):
        if letter in "\\'\"":
            out.append("\\" + letter)
        elif letter in "<>&=" or ord(letter) < 0x20 or not (letter == " " or letter.isprintable()):
            code = ord(letter)
            pair = (
                [code]
                if code < 0x10000
                else [0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code & 0x3FF)]
            )
            out += [f"\\u{unit:04X}" for unit in pair]
        else:
            out.append(letter)
    return "".join(out)


def urlquery(*values: Any) -> str:
    out = []
    for byte in _joined(values).encode("utf-8", "surrogateescape"):
        letter = chr(byte)
        out.append(
            letter if letter in _LETTERS_IN_URL else "+" if letter == " " else f"%{byte:02X}"
        )
    return "".join(out)


def _joined(values: tuple[Any, ...]) -> str:
    return text_of(values[0]) if len(values) == 1 else print_(*values)


def json(value: Any) -> str:
    from json import dumps

    return dumps(json_ready(value), ensure_ascii=False, separators=(",", ":"))


def join(values: Any, separator: Any) -> str:
    if isinstance(values, str):
        return values
    if values is None or values is NO_VALUE:
        return ""
    if not isinstance(values, list | tuple):
        raise Problem(f"{kind_of(values)} cannot be joined")
    return _string(separator).join(plain(value) for value in values)


def split(text: Any, separator: Any) -> list[str]:
    return _string(text).split(separator) if _string(separator) else list(_string(text))


def lower(text: Any) -> str:
    return _string(text).lower()


def upper(text: Any) -> str:
    return _string(text).upper()


def title(text: Any) -> str:
    """The first letter of each word in upper case, the others as they are."""
    text, out, inside = _string(text), [], False
    for letter in text:
        out.append(letter if inside else letter.upper())
        inside = letter.isalnum() or letter == "_" if letter.isascii() else not letter.isspace()
    return "".join(out)


def truncate(text: Any, count: Any) -> str:
    return _string(text)[: _count(count)]


def pad(text: Any, before: Any, after: Any) -> str:
    """Spaces around a text that is not empty."""
    text = _string(text)
    return " " * _count(before) + text + " " * _count(after) if text else ""


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise Problem(f"a string is expected, not {kind_of(value)}")
    return str(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 1_000_000:
        raise Problem(f"{_shown(value)} is no count")
    return value


def _shown(value: Any) -> str:
    from pod.cli.template.literals import quote

    return quote(value) if isinstance(value, str) else plain(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "eq": eq,
    "ge": ge,
    "gt": gt,
    "html": html,
    "index": index,
    "join": join,
    "js": js,
    "json": json,
    "le": le,
    "len": length,
    "lower": lower,
    "lt": lt,
    "ne": ne,
    "not": not_,
    "pad": pad,
    "print": print_,
    "printf": printf,
    "println": println,
    "slice": slice_,
    "split": split,
    "title": title,
    "truncate": truncate,
    "upper": upper,
    "urlquery": urlquery,
}
NAMES = frozenset(FUNCTIONS) | {"and", "or", "call"}


def count_of_arguments(name: str) -> tuple[int, int | None]:
    """How few and how many arguments a function takes; no limit is None."""
    code = FUNCTIONS[name].__code__
    endless = bool(code.co_flags & 0x04)  # CO_VARARGS: the function has *values
    return code.co_argcount, None if endless else code.co_argcount
