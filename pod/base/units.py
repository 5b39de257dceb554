"""Numbers as people type them: sizes, durations, sets of processors, percentages, modes, truth values; and back.

The spellings are those of podman and docker, which are Go's. Every parser takes the text and `what`, the option or key
that it was given to, and raises InvalidValue for anything else than its grammar. Ages and sizes for tables are made in
`cli`, not here.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HIGHEST_SIZE = (1 << 63) - 1  # the kernel and Go keep sizes in a signed 64-bit number
_SIZE_LETTERS = "bkmgtpe"
_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # the micro sign, U+00B5, and below the Greek letter, U+03BC: Go takes both
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
SECOND = _NANOSECONDS["s"]
_HIGHEST_MEMBER = 65535
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


def parse_size(text: str, what: str = "size", *, base: int = 1024) -> int:
    """Bytes: '512m', '1.5g', '64KiB', '100' (bytes). A fraction of a byte is cut off.

    `base` is what k, m, g, t, p and e count in: 1024 for memory; 1000 for docker's `max-size`. The spelling with an i
    ('64KiB') is always 1024.
    """
    grammar = "a number with an optional unit b, k, m, g, t or p, such as 512m or 1.5g"
    number, unit = _split_number(text)
    letters = unit.removeprefix(" ").lower()
    letter, rest = letters[:1] or "b", letters[1:]
    if not number or letter not in _SIZE_LETTERS or rest not in _size_endings(letter):
        raise InvalidValue(what, text, grammar)
    step = 1024 if rest == "ib" else base
    size = _scaled(number, step ** _SIZE_LETTERS.index(letter))
    if size is None:
        raise InvalidValue(what, text, grammar)
    if size > HIGHEST_SIZE:
        raise InvalidValue(what, text, "more than 8 EiB cannot be counted")
    return size


def _size_endings(letter: str) -> tuple[str, ...]:
    return ("",) if letter == "b" else ("", "b", "ib")


def format_size(size_bytes: int) -> str:
    """The shortest spelling that `parse_size` reads back exactly: 1536 -> '1536', 65536 -> '64k'."""
    exponent = 0
    while size_bytes and size_bytes % 1024 == 0 and exponent < len(_SIZE_LETTERS) - 1:
        size_bytes //= 1024
        exponent += 1
    return f"{size_bytes}{_SIZE_LETTERS[exponent] if exponent else ''}"


def parse_duration_ns(text: str, what: str = "duration") -> int:
    """Nanoseconds: Go's durations ('1h30m', '1.5h', '300ms'), and a bare number, which is seconds."""
    grammar = "a duration such as 10s, 1m30s, 2h or 300ms, or a number of seconds"
    number, rest = _split_number(text)
    if number and not rest:
        total = _scaled(number, SECOND)
    else:
        total = 0
        rest = text
        while rest and total is not None:
            number, rest = _split_number(rest)
            length = next((length for length in (2, 1) if rest[:length] in _NANOSECONDS), 0)
            part = _scaled(number, _NANOSECONDS[rest[:length]]) if length else None
            total = None if part is None else total + part
            rest = rest[length:]
    if not text or total is None:
        raise InvalidValue(what, text, grammar)
    if total > HIGHEST_SIZE:
        raise InvalidValue(what, text, "more than 292 years cannot be counted")
    return total


def format_duration_ns(duration_ns: int) -> str:
    """As Go writes a duration: '1h30m0s', '1.5s', '300ms', '0s'."""
    if duration_ns < 0:
        return "-" + format_duration_ns(-duration_ns)
    if 0 < duration_ns < SECOND:
        unit = "ms" if duration_ns >= 1_000_000 else "µs" if duration_ns >= 1_000 else "ns"
        return _decimal(duration_ns, _NANOSECONDS[unit]) + unit
    minutes, rest = divmod(duration_ns, 60 * SECOND)
    seconds = _decimal(rest, SECOND) + "s"
    if not minutes:
        return seconds
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}"


def parse_number_set(text: str, what: str = "set") -> tuple[int, ...]:
    """'0-3,7' -> (0, 1, 2, 3, 7), sorted and each once. As cpuset(7), "List format", without strides."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low, high = _small(first), _small(last if dash else first)
        if low is None or high is None or high < low:
            raise InvalidValue(what, text, "numbers and ranges up to 65535, such as 0-3,7")
        numbers.update(range(low, high + 1))
    return tuple(sorted(numbers))


def format_number_set(numbers: Iterable[int]) -> str:
    """(0, 1, 2, 3, 7) -> '0-3,7'."""
    parts: list[str] = []
    first = last = -2
    for number in [*sorted(set(numbers)), None]:
        if number == last + 1:
            last = number
            continue
        if last >= 0:
            parts.append(str(first) if first == last else f"{first}-{last}")
        if number is not None:
            first = last = number
    return ",".join(parts)


def parse_percent(text: str, what: str = "percentage") -> float:
    """'50%' -> 50.0; between 0 and 100."""
    number = text.removesuffix("%")
    if number == text or not _is_number(number) or float(number) > 100:
        raise InvalidValue(what, text, "a percentage between 0% and 100%")
    return float(number)


def parse_mode(text: str, what: str = "mode", *, highest: int = 0o7777) -> int:
    """File mode bits in octal: '755', '0755', '0o755'."""
    digits = text.removeprefix("0o")
    if not digits or len(digits) > 8 or digits.strip("01234567") or int(digits, 8) > highest:
        raise InvalidValue(what, text, f"an octal number up to {highest:04o}, such as 0755")
    return int(digits, 8)


def parse_integer(text: str, what: str, lowest: int, highest: int) -> int:
    """A decimal number between `lowest` and `highest`, both allowed."""
    digits = text.removeprefix("-")
    if _is_digits(digits) and len(digits) <= 20 and lowest <= int(text) <= highest:
        return int(text)
    raise InvalidValue(what, text, f"a number between {lowest} and {highest}")


def parse_boolean(text: str, what: str) -> bool:
    """The words that Go's strconv.ParseBool knows."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidValue(what, text, "true or false")


def _split_number(text: str) -> tuple[str, str]:
    """The decimal number that `text` begins with, and what follows it; "" when it does not begin with one."""
    end = 0
    while end < len(text) and (text[end] == "." or _is_digits(text[end])):
        end += 1
    number = text[:end]
    return (number, text[end:]) if _is_number(number) else ("", text)


def _is_number(text: str) -> bool:
    whole, _, fraction = text.partition(".")
    return _is_digits(whole + fraction) and len(text) <= 64


def _is_digits(text: str) -> bool:
    # str.isdigit alone knows the digits of every script, and superscripts, which int() refuses.
    return text.isascii() and text.isdigit()


def _scaled(number: str, factor: int) -> int | None:
    """`number`, a decimal fraction, times `factor`, without rounding errors; None when it is empty."""
    if not number:
        return None
    whole, _, fraction = number.partition(".")
    divisor = int("1" + "0" * len(fraction))
    return int(whole or "0") * factor + int(fraction or "0") * factor // divisor


def _decimal(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    digits = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def _small(text: str) -> int | None:
    if _is_digits(text) and len(text) <= 5 and int(text) <= _HIGHEST_MEMBER:
        return int(text)
    return None
