"""Numbers and quoted strings in Go's spelling."""

from __future__ import annotations

import re
from math import isinf

_ESCAPE = re.compile(
    r"""\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))""",
    re.DOTALL,
)
_NAMED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_QUOTED = {value: "\\" + name for name, value in _NAMED.items()} | {'"': '\\"', "\\": "\\\\"}


def unquote(literal: str) -> str | None:
    """What a string in double quotes, back quotes or single quotes means; nothing when an escape is unknown."""
    body = literal[1:-1]
    if literal[0] == "`" or "\\" not in body:
        return body if literal[0] != "'" or len(body) == 1 else None
    wrong = False

    def replace(match: re.Match[str]) -> str:
        nonlocal wrong
        named, hexadecimal, octal, short, long, other = match.groups()
        if named is not None:
            return _NAMED.get(named, named)
        number = int(octal, 8) if octal else int(hexadecimal or short or long or "110000", 16)
        if other is not None or number > 0x10FFFF or 0xD800 <= number < 0xE000:
            wrong = True
            return ""
        return chr(number)

    text = _ESCAPE.sub(replace, body)
    if wrong or (literal[0] == "'" and len(text) != 1):
        return None
    return text


def quote(text: str) -> str:
    """The string in double quotes, as Go's %q writes it."""
    out = []
    for letter in text:
        if letter in _QUOTED:
            out.append(_QUOTED[letter])
        elif letter.isprintable():
            out.append(letter)
        else:
            out.append(_numbered(ord(letter)))
    return '"' + "".join(out) + '"'


def _numbered(code: int) -> str:
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def read_number(word: str) -> float | None:
    """An integer or a float; nothing when it is neither, or too large for Go."""
    from pod.cli.parse import parse_number

    integer = parse_number(word)
    if integer is not None:
        return integer
    digits = word.lstrip("+-")
    if digits[:2].lower() in ("0x", "0b", "0o") or not re.search(r"[.eE]", word):
        return None
    try:
        number = float(word)
    except ValueError:
        return None
    return None if isinf(number) else number
