"""Unit files: sections of keys with values, each with the file and line it came from.

Source: systemd.syntax(7). Reading the files of one unit together with its drop-ins is `read`; which those are is said
in `places.py`.
"""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.base.records import Record
from pod.spec import systemd_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_FORMAT, _REGULAR = 0o170000, 0o100000  # inode(7)
_TRUE = frozenset(("1", "yes", "y", "true", "t", "on"))
_FALSE = frozenset(("0", "no", "n", "false", "f", "off"))


class QuadletError(PodError):
    """What is wrong with a unit file: in which file, on which line, with which key; 0 and "" where there is none."""

    def __init__(self, message: str, path: str = "", line: int = 0, key: str = "") -> None:
        where = path + (f":{line}" if line else "") + ": " if path else ""
        super().__init__(f"{where}{f'{key}=: ' if key else ''}{message}")
        self.path, self.line, self.key = path, line, key


class Entry(Record):
    """One line KEY=VALUE, continuation lines joined."""

    key: str
    value: str
    path: str
    line: int

    def error(self, message: str) -> QuadletError:
        return QuadletError(message, self.path, self.line, self.key)

    def words(self) -> list[str]:
        """The words of the value, without quotes."""
        try:
            return systemd_text.split(self.value, keep_unknown=True)
        except systemd_text.BadQuoting as error:
            raise self.error(error.message) from error

    def boolean(self) -> bool:
        word = self.value.lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise self.error(f"'{self.value}' is neither true nor false")


class UnitFile:
    """The sections of a unit, in order. `path` is the file, `name` what it is called: "web.container"."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name
        self.sections: dict[str, list[Entry]] = {}
        self.lines: dict[str, tuple[str, int]] = {}
        """Where each section was first opened."""
        self._indexes: dict[str, tuple[int, dict[str, list[Entry]]]] = {}  # of how many entries

    def all(self, section: str, key: str) -> list[Entry]:
        """Every entry with the key; an empty one forgets those before it."""
        entries = self.sections.get(section, ())
        index = self._indexes.get(section)
        if index is None or index[0] != len(entries):
            index = self._indexes[section] = (len(entries), _index(entries))
        return index[1].get(key, [])

    def last(self, section: str, key: str) -> Entry | None:
        found = self.all(section, key)
        return found[-1] if found else None

    def text(self, section: str, key: str, default: str = "") -> str:
        entry = self.last(section, key)
        return default if entry is None else entry.value

    def flag(self, section: str, key: str, *, default: bool = False) -> bool:
        entry = self.last(section, key)
        return default if entry is None else entry.boolean()

    def words(self, section: str, key: str) -> list[str]:
        """The words of all values."""
        return [word for entry in self.all(section, key) for word in entry.words()]


def _index(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """The entries by key, without those that an empty one makes forgotten."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if not entry.value:
            found.pop(entry.key, None)
        else:
            found.setdefault(entry.key, []).append(entry)
    return found


def read(path: str, name: str, drop_ins: Iterable[str] = ()) -> UnitFile:
    """A unit with its drop-ins, in this order. Raises QuadletError."""
    unit = UnitFile(path, name)
    for one in (path, *drop_ins):
        try:
            text = _text_of(one)
        except OSError as error:
            raise QuadletError(f"cannot be read: {error.strerror}", one) from error
        except UnicodeDecodeError as error:
            raise QuadletError("is not text in UTF-8", one) from error
        parse(text, one, unit)
    return unit


def _text_of(path: str) -> str:
    """Raises OSError, UnicodeDecodeError, QuadletError. A pipe has nobody who writes, and systemd waits for us."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, encoding="utf-8-sig") as file:  # systemd passes over a byte order mark, too
        mode = os.fstat(fd).st_mode
        if mode & _FORMAT != _REGULAR:
            raise QuadletError("cannot be read: it is no regular file", path)
        return file.read()


def parse(text: str, path: str, unit: UnitFile) -> None:
    """Add what a file says to `unit`. Raises QuadletError."""
    before, zero, _ = text.partition("\0")
    if zero:
        raise QuadletError("has a zero byte in it", path, before.count("\n") + 1)
    section: list[Entry] | None = None
    begun = 0
    pieces: list[str] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line[:1] in {"#", ";"} or (not line and not pieces):
            continue  # also in the middle of what is continued
        if line.endswith("\\"):
            begun = begun or number
            pieces.append(line[:-1].rstrip())
            continue
        whole = " ".join([*pieces, line]).strip()
        number, begun, pieces = begun or number, 0, []  # noqa: PLW2901
        if whole.startswith("["):
            section = _open_section(whole, path, number, unit)
        elif section is None:
            raise QuadletError(f"'{whole}' stands in no section", path, number)
        else:
            key, equals, value = whole.partition("=")
            if not equals or not key.strip():
                raise QuadletError(f"'{whole}' is not of the form KEY=VALUE", path, number)
            section.append(Entry(key.strip(), value.strip(), path, number))
    if pieces:
        raise QuadletError("the last line ends with a backslash", path, begun)


def _open_section(line: str, path: str, number: int, unit: UnitFile) -> list[Entry]:
    name = line[1:-1]
    if not line.endswith("]") or not name or "[" in name or "]" in name:
        raise QuadletError(f"'{line}' is not the head of a section", path, number)
    unit.lines.setdefault(name, (path, number))
    return unit.sections.setdefault(name, [])
