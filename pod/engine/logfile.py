"""Read log files back: k8s-file (CRI) and json-file, rotated ones included, from the front or from the end.

Millions of lines pass through here, so pieces of a megabyte are split and joined, and a line costs one short turn of a
loop. `pod/monitor/logs.py` writes what is read here.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os

from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 1 << 20
_TAIL_BYTES = 1 << 16
_STREAMS = {b"stdout", b"stderr"}
_TAGS = {b" F ", b" P "}


class Line(Record):
    """A line of output. `text` has its newline, unless the line was not complete."""

    time: bytes
    stream: bytes  # b"stdout" or b"stderr"
    text: bytes


def open_files(path: str) -> list[int]:
    """Descriptors of the log file and of what it was before rotations, the oldest first; the caller closes them.

    While that is done the monitor cannot rotate them (`RotatedFile` in pod/monitor/logs.py): it would go on to fill the
    file that it has. Names have gaps where a monitor was killed; what is behind one comes back with the next rotation.
    """
    try:
        directory = os.open(
            os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        )
    except FileNotFoundError:
        return []
    try:
        fcntl.flock(directory, fcntl.LOCK_SH)
        return _open_all(path)
    finally:
        os.close(directory)


def _open_all(path: str) -> list[int]:
    opened: list[int] = []
    names = itertools.chain((path,), (f"{path}.{number}" for number in itertools.count(1)))
    for name in names:
        try:
            opened.insert(0, os.open(name, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            if name != path:  # that one is missing when nothing was ever written
                break
    return opened


def read_chunks(fd: int) -> Iterator[bytes]:
    """Complete lines from the present position to the end, many at a time. An unfinished last line stays unread."""
    rest = b""
    while data := os.read(fd, _CHUNK_BYTES):
        end = data.rfind(b"\n")
        if end < 0:
            rest += data
            continue
        yield rest + data[: end + 1]
        rest = data[end + 1 :]
    if rest:
        os.lseek(fd, -len(rest), os.SEEK_CUR)


def split_streams(chunk: bytes, format_name: str) -> list[tuple[bytes, bytes]]:
    """The text of a chunk without times: (stream, text) pieces in their order, neighbours of one stream joined."""
    if format_name == "json-file":
        pieces = [(line.stream, line.text) for line in parse(chunk, format_name)]
        return _joined(pieces)
    if b" stderr " not in chunk:
        return [(b"stdout", b"".join(_texts(chunk)))]
    width = chunk.find(
        b" "
    )  # all times are as long as the first, so nearly every line needs no search
    pieces = []
    for line in chunk.split(b"\n"):
        tag = line[width + 7 : width + 10]
        if tag == b" F ":
            pieces.append((line[width + 1 : width + 7], line[width + 10 :] + b"\n"))
        elif line:
            pieces += [(one.stream, one.text) for one in parse(line, format_name)]
    return _joined(pieces)


def _texts(chunk: bytes) -> list[bytes]:
    """The texts of CRI lines, all of the same stream: 'TIME stdout F TEXT'."""
    texts = []
    width = chunk.find(b" ")  # as above
    for line in chunk.split(b"\n"):
        if line[width : width + 10] == b" stdout F ":
            texts.append(line[width + 10 :] + b"\n")
        elif line:
            texts += [one.text for one in parse(line, "k8s-file")]
    return texts


def _joined(pieces: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    joined: list[tuple[bytes, list[bytes]]] = []
    for stream, text in pieces:
        if joined and joined[-1][0] == stream:
            joined[-1][1].append(text)
        else:
            joined.append((stream, [text]))
    return [(stream, b"".join(texts)) for stream, texts in joined]


def parse(chunk: bytes, format_name: str) -> Iterator[Line]:
    """The lines of a chunk with their times. What is no log line, after damage from outside, is passed over."""
    for line in chunk.split(b"\n"):
        if not line:
            continue
        if format_name == "json-file":
            try:
                entry = json.loads(line)
                yield Line(entry["time"].encode(), entry["stream"].encode(), entry["log"].encode())
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        else:
            time, _, rest = line.partition(b" ")
            if rest[:6] in _STREAMS and rest[6:9] in _TAGS:
                yield Line(time, rest[:6], rest[9:] + b"\n" if rest[7:8] == b"F" else rest[9:])


def offset_of_tail(
    fd: int, count: int, format_name: str, *, goes_on: bool = False
) -> tuple[int, int]:
    """Where the last `count` lines of the file begin, and how many there are, at most `count`.

    A last line that is not complete counts, unless it `goes_on` in the next file. Looks at the end first, and four
    times further back each time that is not enough.
    """
    size = os.fstat(fd).st_size
    length = _TAIL_BYTES
    while True:
        start = max(0, size - length)
        data = os.pread(fd, size - start, start)
        if start:
            data = data[data.find(b"\n") + 1 :]
        *lines, unread = data.split(b"\n")
        kept_bytes = len(unread)
        found = int(bool(lines) and not goes_on and not _ends_line(lines[-1], format_name))
        for line in reversed(lines):
            if _ends_line(line, format_name):
                if found >= count:
                    return size - kept_bytes, found
                found += 1
            kept_bytes += len(line) + 1
        if start == 0:
            return 0, found
        length *= 4


def _ends_line(line: bytes, format_name: str) -> bool:
    if format_name == "json-file":
        end = line.rfind(b'","stream":"')
        text = line[:end].rstrip(b"n") if line[:end].endswith(b"n") else b""
        # An odd number of backslashes: the last one and the n are a newline.
        return line[:end].endswith(b"\\n") and (len(text) - len(text.rstrip(b"\\"))) % 2 == 1
    space = line.find(b" ")
    return line[space + 8 : space + 9] == b"F"


def parse_time(text: str) -> int:
    """RFC 3339 with any fraction and "Z" or an offset, as nanoseconds since 1970; raises ValueError for other text."""
    import calendar  # heavy
    import time

    seconds = calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    rest = text[19:]
    digits = ""
    if rest.startswith("."):
        digits = rest[1 : 1 + len(rest[1:]) - len(rest[1:].lstrip("0123456789"))]
        rest = rest[1 + len(digits) :]
    if rest not in {"Z", "z", ""}:
        hours, _, minutes = rest[1:].partition(":")
        offset_seconds = int(hours) * 3600 + int(minutes) * 60
        seconds += offset_seconds if rest[0] == "-" else -offset_seconds
    return seconds * 1_000_000_000 + int((digits + "0" * 9)[:9])
