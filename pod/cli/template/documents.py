"""What `inspect` found, as templates see it: Go's names of fields, and moments with Go's methods of time.Time.

JSON has the document as it is; only a template other than json gets this.
"""

from __future__ import annotations

import time

from pod.base.times import NEVER, from_rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SECOND = 1_000_000_000
_YEAR_ONE = -62135596800  # seconds: Go's time of nothing
_MOMENTS = frozenset("Created CreatedAt StartedAt FinishedAt CheckpointedAt RestoredAt".split())
_METHODS = (
    "Day Format Hour IsZero Minute Month Nanosecond Second String Unix UnixNano Weekday Year YearDay"
).split()
_STRUCTS = frozenset(("Config", "State"))
_OTHER_NAMES = {
    # part of the document: names that podman's templates have for fields that JSON calls otherwise
    "Config": {
        "HealthMaxLogCount": "HealthcheckMaxLogCount",
        "HealthMaxLogSize": "HealthcheckMaxLogSize",
    },
    "State": {"Healthcheck": "Health"},
}
_LEFT_OUT = {
    # part of the document: fields that JSON leaves out where there is nothing to say, and `{{if}}` asks for
    "Config": {
        "HealthLogDestination": "",
        "Healthcheck": None,
        "HealthcheckMaxLogCount": 0,
        "HealthcheckMaxLogSize": 0,
        "SdNotifyMode": "",
    },
}


class Struct(dict[str, object]):
    """A document, or a part of it, in which every field has the name that Go gives it."""

    def __init__(self, document: dict[str, Any], name: str = "") -> None:
        self.document = document
        super().__init__(_LEFT_OUT.get(name, {}))
        self.update(
            {key[:1].upper() + key[1:]: _value(key, value) for key, value in document.items()}
        )
        self.other_names = _OTHER_NAMES.get(name, {})


def _value(key: str, value: Any) -> Any:
    if key in _STRUCTS and isinstance(value, dict):
        return Struct(value, key)
    if key in _MOMENTS and isinstance(value, str):
        return Moment(value)
    return value


class Moment(str):
    """A time. As a text it is what Go prints; in JSON it stays RFC 3339."""

    __slots__ = ()
    go_names = {name: name.lower() for name in _METHODS}  # noqa: RUF012  read by the template's values

    def __str__(self) -> str:
        return self.format("2006-01-02 15:04:05.999999999 -0700 MST")

    def _parts(self) -> tuple[time.struct_time, int, int]:
        """The moment on the clock of its own zone, its nanoseconds, and how many minutes that is ahead of UTC."""
        if self.iszero():
            return time.gmtime(_YEAR_ONE), 0, 0
        nanoseconds = from_rfc3339(self)
        zone, minutes = self[-6:], 0
        if zone[:1] in ("+", "-") and zone[3:4] == ":":
            minutes = (int(zone[1:3]) * 60 + int(zone[4:])) * (-1 if zone[0] == "-" else 1)
        clock = time.gmtime(nanoseconds // _SECOND + minutes * 60)
        return clock, nanoseconds % _SECOND, minutes

    def _zone_name(self, minutes: int) -> str:
        """As Go has it: that of the local zone, if it is as far ahead then, else the distance."""
        if minutes == 0:
            return "UTC"
        local = time.localtime(from_rfc3339(self) // _SECOND)
        return time.strftime("%Z", local) if local.tm_gmtoff == minutes * 60 else _zone(minutes)

    def iszero(self) -> bool:
        return str.__eq__(self, NEVER)

    def year(self) -> int:
        return self._parts()[0].tm_year

    def month(self) -> str:
        return _MONTHS[self._parts()[0].tm_mon - 1]

    def day(self) -> int:
        return self._parts()[0].tm_mday

    def hour(self) -> int:
        return self._parts()[0].tm_hour

    def minute(self) -> int:
        return self._parts()[0].tm_min

    def second(self) -> int:
        return self._parts()[0].tm_sec

    def nanosecond(self) -> int:
        return self._parts()[1]

    def weekday(self) -> str:
        return _DAYS[self._parts()[0].tm_wday]

    def yearday(self) -> int:
        return self._parts()[0].tm_yday

    def unix(self) -> int:
        return _YEAR_ONE if self.iszero() else from_rfc3339(self) // _SECOND

    def unixnano(self) -> int:
        return from_rfc3339(self)

    def string(self) -> str:
        return str(self)

    def format(self, layout: Any = "") -> str:  # type: ignore[override]  # Go's method, not Python's
        """The moment in the form of Go's reference time, Mon Jan 2 15:04:05 MST 2006 (pkg.go.dev/time, "Layout")."""
        moment, nanoseconds, minutes = self._parts()
        zones = {
            "MST": self._zone_name(minutes),
            "-07:00": _zone(minutes, ":"),
            "-0700": _zone(minutes),
            "Z07:00": _zone(minutes, ":") if minutes else "Z",
        }
        out, rest = "", "".join(layout) if isinstance(layout, str) else ""
        while rest:
            for word, shown in _LAYOUT:
                if rest.startswith(word):
                    out += zones[word] if shown is None else shown(moment)
                    rest = rest[len(word) :]
                    break
            else:
                digits = len(rest) - len(rest[1:].lstrip(rest[1:2])) - 1
                if rest[0] in ".," and rest[1:2] in ("0", "9") and out[-1:].isdigit():
                    out += _fraction(nanoseconds, digits, keeps_zeros=rest[1] == "0")
                    rest = rest[1 + digits :]
                else:
                    out, rest = out + rest[0], rest[1:]
        return out


def _fraction(nanoseconds: int, digits: int, *, keeps_zeros: bool) -> str:
    text = f"{nanoseconds:09}"[:digits]
    text = text if keeps_zeros else text.rstrip("0")
    return f".{text}" if text else ""


def _zone(minutes: int, colon: str = "") -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{colon}{rest:02}"


_MONTHS = (
    "January February March April May June July August September October November December".split()
)
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_LAYOUT: tuple[tuple[str, Callable[[time.struct_time], str] | None], ...] = (
    # a word of the reference time, of two that begin alike the longer one first; what stands in its place
    ("January", lambda it: _MONTHS[it.tm_mon - 1]),
    ("Jan", lambda it: _MONTHS[it.tm_mon - 1][:3]),
    ("Monday", lambda it: _DAYS[it.tm_wday]),
    ("Mon", lambda it: _DAYS[it.tm_wday][:3]),
    ("MST", None),  # zones are the moment's own
    ("2006", lambda it: f"{it.tm_year:04}"),
    ("06", lambda it: f"{it.tm_year % 100:02}"),
    ("01", lambda it: f"{it.tm_mon:02}"),
    ("02", lambda it: f"{it.tm_mday:02}"),
    ("03", lambda it: f"{(it.tm_hour - 1) % 12 + 1:02}"),
    ("04", lambda it: f"{it.tm_min:02}"),
    ("05", lambda it: f"{it.tm_sec:02}"),
    ("15", lambda it: f"{it.tm_hour:02}"),
    ("_2", lambda it: f"{it.tm_mday:2}"),
    ("-07:00", None),
    ("-0700", None),
    ("Z07:00", None),
    ("PM", lambda it: "PM" if it.tm_hour >= 12 else "AM"),
    ("pm", lambda it: "pm" if it.tm_hour >= 12 else "am"),
    ("1", lambda it: str(it.tm_mon)),
    ("2", lambda it: str(it.tm_mday)),
    ("3", lambda it: str((it.tm_hour - 1) % 12 + 1)),
    ("4", lambda it: str(it.tm_min)),
    ("5", lambda it: str(it.tm_sec)),
)
