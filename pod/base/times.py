"""Moments: nanoseconds since 1970 <-> RFC 3339 text, and the spellings that --since, --until and filters take."""

from __future__ import annotations

import time

from pod.base.errors import InvalidValue
from pod.base.units import SECOND, parse_duration_ns

NEVER = "0001-01-01T00:00:00Z"  # how Go writes a time that was never set


def rfc3339(moment_ns: int, *, local: bool = False) -> str:
    """ "2026-11-21T05:22:14.662494828Z"; in local time with the distance from UTC."""
    seconds, rest = divmod(moment_ns, SECOND)
    fraction = f".{rest:09}".rstrip("0").rstrip(".")
    if not local:
        return time.strftime(f"%Y-%m-%dT%H:%M:%S{fraction}Z", time.gmtime(seconds))
    moment = time.localtime(seconds)
    zone = time.strftime("%z", moment)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S{fraction}", moment) + f"{zone[:3]}:{zone[3:]}"


def from_rfc3339(text: str) -> int:
    """Nanoseconds since 1970 of a time in the form that images have: with seconds and zone. 0 for anything else.

    Quick, for lists of hundreds.
    """
    date, rest = text[:19], text[19:]
    try:
        year, month, day = int(date[:4]), int(date[5:7]), int(date[8:10])
        clock = int(date[11:13]) * 3600 + int(date[14:16]) * 60 + int(date[17:19])
        nanoseconds = 0
        if rest.startswith("."):
            digits = rest[1 : len(rest) - len(rest[1:].lstrip("0123456789"))]
            nanoseconds, rest = _nanoseconds(digits), rest[1 + len(digits) :]
        if rest not in ("Z", "z"):
            sign = {"+": 1, "-": -1}[rest[0]]
            clock -= sign * (int(rest[1:3]) * 3600 + int(rest[4:6]) * 60)
    except (ValueError, KeyError, IndexError):
        return 0
    # Days since 1970 in the Gregorian calendar, counted in years that begin with March.
    if month < 3:
        year, month = year - 1, month + 12
    days = (
        365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 719469
    )
    return (days * 86400 + clock) * SECOND + nanoseconds


def parse_moment(text: str, what: str) -> int:
    """Nanoseconds since 1970. Spellings: "10m" is so long ago; "1700000000" or "1700000000.5" is since 1970;
    "2026-11-21", "2026-11-21T05:22", with or without seconds, fraction and zone, is in local time when it has no zone.
    """
    whole, dot, fraction = text.partition(".")
    if _is_digits(whole) and (not dot or _is_digits(fraction)):
        return int(whole) * SECOND + _nanoseconds(fraction)
    found = _parse_date(text) if "-" in text[1:] else None
    if found is not None:
        return found
    try:
        return time.time_ns() - parse_duration_ns(text, what)
    except InvalidValue:
        raise InvalidValue(
            what,
            text,
            "a duration such as 10m, seconds since 1970, or a time such as 2026-11-21T05:22:14Z",
        ) from None


def _parse_date(text: str) -> int | None:
    import datetime  # heavy

    word = text.replace("Z", "+00:00").replace("z", "+00:00").replace(" ", "T", 1)
    head, dot, rest = word.partition(".")
    digits = ""
    if dot:  # fromisoformat of Python 3.10 reads three or six digits alone
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        word = head + rest[len(digits) :]
    try:
        moment = datetime.datetime.fromisoformat(word)
        return int(moment.timestamp()) * SECOND + _nanoseconds(digits)
    except (ValueError, OverflowError, OSError):
        return None


def _nanoseconds(digits: str) -> int:
    """The digits behind the point of a number of seconds."""
    return int((digits + "0" * 9)[:9])


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 12
