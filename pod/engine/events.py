"""Read the journal of events back: all of it, a part of it, or what is added from now on.

`pod/state/events.py` writes it, `events_filters.py` chooses, `events_follow.py` waits for more. A line that is no
event, after a full disk or damage from outside, is passed over.
"""

from __future__ import annotations

import os

from pod.base import plainjson
from pod.base.records import Record
from pod.state import events as journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Test = Callable[["Event"], bool]

_READ_BYTES = 1 << 18
_BEGIN = '{"t":'


class Event(Record):
    """What happened. `object_id` and `pod` are full ids; `exit_code` None where nothing ended."""

    time_ns: int
    kind: str
    status: str
    object_id: str = ""
    name: str = ""
    image: str = ""
    exit_code: int | None = None
    health: str = ""
    network: str = ""
    pod: str = ""
    error: str = ""
    attributes: Mapping[str, str] = {}


class Selection(Record):
    """Which events: nanoseconds since 1970, None for no limit, and filters as they were typed, checked."""

    since_ns: int | None = None
    until_ns: int | None = None
    tests: Mapping[str, tuple[Test, ...]] = {}

    def accepts(self, event: Event) -> bool:
        if self.since_ns is not None and event.time_ns < self.since_ns:
            return False
        if self.until_ns is not None and event.time_ns > self.until_ns:
            return False
        # podman-events(1): values of one key are alternatives, different keys must all hold.
        return all(any(test(event) for test in tests) for tests in self.tests.values())


class Reader:
    """Events in the order in which they were recorded, also from files that were renamed meanwhile.

    One file is open between calls; the holder closes the reader.
    """

    def __init__(self, directory: str) -> None:
        self._path = f"{directory}/{journal.LOG}"
        self._old = f"{directory}/{journal.OLD}"
        self._fd = -1
        self._rest = b""

    def skip(self) -> None:
        """Leave out what is there."""
        self._take(_open(self._path))
        if self._fd >= 0:
            os.lseek(self._fd, 0, os.SEEK_END)

    def read(self) -> Iterator[Event]:
        """What has been added since the last call; with the first one, everything."""
        if self._fd < 0:
            self._take(_first(self._old, self._path))
        while self._fd >= 0:
            is_present = _is_at(self._fd, self._path)
            yield from self._read_on()
            if is_present:
                return
            # A file that has been renamed is complete. Unless it was the old one already, the next is the present one.
            newer = self._next()
            if newer < 0:
                return
            self._take(newer)

    def close(self) -> None:
        self._take(-1)

    def _next(self) -> int:
        """The file after the one that is open; -1 when nobody has begun it yet."""
        while True:
            older = _open(self._old)
            newer = _open(self._path)
            if older >= 0 and not _same(older, self._fd):
                _close(newer)
                return older  # there were two renames at least
            has_moved = older >= 0 and not _is_at(older, self._old)
            _close(older)
            if not has_moved:
                return newer
            _close(newer)  # another one between the two looks: it is not the next any more

    def _take(self, fd: int) -> None:
        _close(self._fd)
        self._fd = fd
        self._rest = b""

    def _read_on(self) -> Iterator[Event]:
        while data := os.read(self._fd, _READ_BYTES):
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                event = parse(line)
                if event is not None:
                    yield event


def last_exit_status(directory: str, object_id: str) -> int | None:
    """What the container with this id ended with last; None where the journal, "" for none, does not tell it."""
    status = None
    if directory:
        reader = Reader(directory)
        try:
            for event in reader.read():
                if event.object_id == object_id and event.status == "died":
                    status = event.exit_code
        finally:
            reader.close()
    return status


def parse(line: bytes) -> Event | None:
    """The event in a line. Behind one that was torn the next one may stand, in the same line."""
    text = line.decode("utf-8", "replace")
    start = text.find(_BEGIN)
    while start >= 0:
        try:
            found = plainjson.loads(text[start:])
            return Event(
                time_ns=int(found["t"]),
                kind=str(found["type"]),
                status=str(found["status"]),
                object_id=str(found.get("id", "")),
                name=str(found.get("name", "")),
                image=str(found.get("image", "")),
                exit_code=found.get("exit"),
                health=str(found.get("health", "")),
                network=str(found.get("network", "")),
                pod=str(found.get("pod", "")),
                error=str(found.get("error", "")),
                attributes=dict(found.get("attributes", {})),
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            start = text.find(_BEGIN, start + 1)
    return None


def _first(old: str, present: str) -> int:
    """The oldest file there is; -1 when there is none."""
    while True:
        fd = _open(old)
        if fd < 0:
            fd = _open(present)
            if fd < 0 or _is_at(fd, present):
                return fd
        elif _is_at(fd, old):
            return fd
        os.close(fd)  # it was renamed between the two looks


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return -1


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _same(one: int, other: int) -> bool:
    return os.path.samestat(os.fstat(one), os.fstat(other))


def _close(fd: int) -> None:
    if fd >= 0:
        os.close(fd)
