"""Go's printf: verbs, flags, widths, and the marks that it puts in place of an error.

Source: package fmt of Go, "Printing" and "Format errors". A format never fails: what does not fit is shown as
`%!d(string=hi)`, as everybody who knows Go expects.
"""

from __future__ import annotations

import re
from math import isinf, isnan

from pod.cli.template.literals import quote
from pod.cli.template.values import NO_VALUE, kind_of, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\*|\d*)(?:\.(?P<precision>\*|\d*))?(?:\[(?P<index>\d+)\])?(?P<verb>.)?",
    re.DOTALL,
)
_WIDEST = 1_000_000  # Go's own limit


class _Values:
    """The values that wait to be printed."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values
        self.position = 0
        self.reordered = False

    def next(self) -> tuple[Any, bool]:
        """The value whose turn it is, and whether there is one."""
        self.position += 1
        if self.position > len(self.values):
            return None, False
        return self.values[self.position - 1], True

    def jump(self, index: int) -> bool:
        """Go on with the value `index`, counted from 1."""
        self.reordered = True
        self.position = index - 1
        return 1 <= index <= len(self.values)

    def extra(self) -> Sequence[Any]:
        """Those that no verb has asked for."""
        return () if self.reordered else self.values[self.position :]


def sprintf(form: str, values: Sequence[Any]) -> str:
    """The text of `form` with its verbs replaced by `values`, in order."""
    waiting = _Values(values)
    out: list[str] = []
    position = 0
    for match in _DIRECTIVE.finditer(form):
        out.append(form[position : match.start()])
        position = match.end()
        out.append(_directive(match, waiting))
    out.append(form[position:])
    extra = ", ".join(
        "<nil>" if value is None else f"{kind_of(value)}={plain(value)}"
        for value in waiting.extra()
    )
    return "".join(out) + (f"%!(EXTRA {extra})" if extra else "")


def _directive(match: re.Match[str], waiting: _Values) -> str:
    flags, verb = match["flags"], match["verb"]
    width, problem, left = _size(match["width"], "WIDTH", waiting)
    out = problem
    if left:
        flags += "-"
    precision, problem, negative = _size(match["precision"], "PREC", waiting)
    out += problem
    if negative or problem:
        precision = None
    elif match["precision"] == "":
        precision = 0
    if verb is None:
        return out + "%!(NOVERB)"
    if verb == "%":
        return out + "%"
    if match["index"] is not None and not waiting.jump(int(match["index"][:9])):
        return f"{out}%!{verb}(BADINDEX)"
    value, there = waiting.next()
    if not there:
        return f"{out}%!{verb}(MISSING)"
    return out + _formatted(verb, flags, width, precision, value)


def _formatted(verb: str, flags: str, width: int | None, precision: int | None, value: Any) -> str:
    """One value with its width, which goes to each entry of a list."""
    if callable(value):
        value = value()
    if isinstance(value, list | tuple) and verb != "T":
        return (
            "[" + " ".join(_formatted(verb, flags, width, precision, item) for item in value) + "]"
        )
    return _padded(_verb(verb, flags, precision, value), flags, width, verb)


def _size(typed: str | None, what: str, waiting: _Values) -> tuple[int | None, str, bool]:
    """A width or precision: the number, what is wrong with it, whether it was negative."""
    if typed == "*":
        value, _ = waiting.next()
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _WIDEST:
            return None, f"%!(BAD{what})", False
        return abs(value), "", value < 0
    if not typed:
        return None, "", False
    if len(typed) > 7 or int(typed) > _WIDEST:
        return None, f"%!(BAD{what})", False
    return int(typed), "", False


def _padded(text: str, flags: str, width: int | None, verb: str) -> str:
    if width is None or len(text) >= width:
        return text
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and not text.startswith("%!"):
        sign = 1 if text[:1] in ("+", "-", " ") and verb in "bodxXeEfFgGv" else 0
        return text[:sign] + text[sign:].rjust(width - sign, "0")
    return text.rjust(width)


def _verb(verb: str, flags: str, precision: int | None, value: Any) -> str:
    """One value in the form that the verb asks for."""
    if verb == "T":
        return kind_of(value)
    if verb == "v":
        return _any(flags, precision, value)
    if value is None or value is NO_VALUE:
        return f"%!{verb}(<nil>)"
    text: str | None = None
    if isinstance(value, bool):
        text = plain(value) if verb == "t" else None
    elif isinstance(value, int):
        text = _integer(verb, flags, precision, value)
    elif isinstance(value, float):
        text = _float(verb, flags, precision, value)
    elif isinstance(value, str):
        text = _string(verb, flags, precision, value)
    elif verb == "s":
        text = plain(value)
    return f"%!{verb}({kind_of(value)}={plain(value)})" if text is None else text


def _any(flags: str, precision: int | None, value: Any) -> str:
    if "#" in flags and isinstance(value, str):
        return quote(value)
    if isinstance(value, str) and precision is not None:
        return value[:precision]
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer("d", flags, precision, value) or ""
    if isinstance(value, float) and precision is not None:
        return _float("g", flags, precision, value) or ""
    return plain(value, named="+" in flags)


def _integer(verb: str, flags: str, precision: int | None, value: int) -> str | None:
    if verb == "c":
        return chr(value) if 0 <= value < 0xD800 or 0xE000 <= value <= 0x10FFFF else "\ufffd"
    if verb == "q":
        quoted = quote(_integer("c", flags, precision, value) or "")[1:-1]
        return "'" + quoted.replace('\\"', '"').replace("'", "\\'") + "'"
    if verb == "U":
        return f"U+{value:04X}" if value >= 0 else None
    if verb not in "bdoOxX":
        return None
    digits = format(abs(value), "o" if verb == "O" else verb)
    if precision is not None:
        digits = digits.zfill(precision) if precision or value else ""
    prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
    return _sign(flags, negative=value < 0) + ("0o" if verb == "O" else prefix) + digits


def _float(verb: str, flags: str, precision: int | None, value: float) -> str | None:
    if verb not in "eEfFgG":
        return None
    negative = value < 0 or str(value).startswith("-")
    if isnan(value) or isinf(value):
        return _sign(flags, negative=negative) + ("NaN" if isnan(value) else "Inf")
    if verb in "gG" and precision is None:
        text = plain(abs(value)).replace("e", "E" if verb == "G" else "e")
    else:
        text = format(abs(value), f".{6 if precision is None else min(precision, 1000)}{verb}")
    return _sign(flags, negative=negative) + text


def _sign(flags: str, *, negative: bool) -> str:
    if negative:
        return "-"
    return "+" if "+" in flags else " " if " " in flags else ""


def _string(verb: str, flags: str, precision: int | None, value: str) -> str | None:
    if precision is not None:
        value = value[:precision]
    if verb == "s":
        return value
    if verb == "q":
        return f"`{value}`" if "#" in flags and "`" not in value else quote(value)
    if verb in "xX":
        digits = value.encode("utf-8", "surrogateescape").hex(*((" ",) if " " in flags else ()))
        return digits.upper() if verb == "X" else digits
    return None
