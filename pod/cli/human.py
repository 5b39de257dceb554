"""Sizes, ages and times as people read them, in the words that podman and docker use."""

from __future__ import annotations

import time

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_SECOND = 1_000_000_000


def size(size_bytes: float, *, digits: int = 3, space: bool = True) -> str:
    """A size in decimal units: "144 kB"; without `space` and with 4 digits "1.234GB", as `ps` and `df` have it."""
    number, unit, last = float(size_bytes), 0, len(_UNITS) - 1
    while abs(number) >= 1000 and unit < last:
        number, unit = number / 1000, unit + 1
    text = f"{number:.{digits}g}"
    if abs(number) >= 999 and abs(float(text)) >= 1000 and unit < last:  # by rounding
        text, unit = f"{number / 1000:.{digits}g}", unit + 1
    return f"{text}{' ' if space else ''}{_UNITS[unit]}"


def duration(seconds: float) -> str:
    """A length of time in one unit: "2 minutes", "About an hour", "Less than a second"."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return _count(whole, "second")
    minutes = whole // 60
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    days = hours // 24
    if hours < 48:
        return f"{hours} hours"
    if days < 14:
        return f"{days} days"
    if days < 60:
        return f"{days // 7} weeks"
    if days < 730:
        return f"{days // 30} months"
    return f"{int(seconds / 3600) // 24 // 365} years"


def _count(number: int, unit: str) -> str:
    return f"1 {unit}" if number == 1 else f"{number} {unit}s"


def ago(then_ns: int, now_ns: int | None = None) -> str:
    """How long ago a moment was: "2 minutes ago". Moments are nanoseconds since 1970."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    return f"{duration(max(0, now_ns - then_ns) / _SECOND)} ago"


def go_duration(length_ns: int) -> str:
    """A length of time in Go's notation, as options take it: "1h30m0s", "1.5s", "250ms"."""
    sign, length_ns = ("-", -length_ns) if length_ns < 0 else ("", length_ns)
    if length_ns == 0:
        return "0s"
    for unit, factor in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if length_ns < factor * 1000:
            return f"{sign}{_fraction(length_ns, factor)}{unit}"
    seconds, rest = divmod(length_ns, _SECOND)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{_fraction(seconds * _SECOND + rest, _SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else sign + text


def _fraction(number: int, factor: int) -> str:
    whole, rest = divmod(number, factor)
    if not rest:
        return str(whole)
    return f"{whole}.{str(rest).zfill(len(str(factor)) - 1).rstrip('0')}"


def go_time(moment_ns: int) -> str:
    """A moment as Go prints it, in local time: "2026-11-21 05:22:14.662494828 +0000 UTC"."""
    seconds, rest = divmod(moment_ns, _SECOND)
    local = time.localtime(seconds)
    fraction = f".{rest:09}".rstrip("0").rstrip(".")
    return time.strftime(f"%Y-%m-%d %H:%M:%S{fraction} %z %Z", local)
