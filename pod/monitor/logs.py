"""Log drivers: what becomes of a container's output. Writing only; `engine/logs.py` reads.

Every driver takes pieces of a stream as they were read, not lines: a line may come in several pieces, and one piece may
hold ten thousand lines. Whatever is done per line is done by one call for the whole piece.

Formats: k8s-file is the CRI log format (Kubernetes, "CRI logging": time, stream, tag P or F, text); json-file is
docker's; journald is the native protocol of systemd-journald(8).
"""

from __future__ import annotations

import fcntl
import os
import time

from pod.base import log
from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Driver(Protocol):
        """Where output goes. Whoever opens a driver closes it."""

        def write(self, stream: str, data: bytes) -> None:
            """Take a piece of "stdout" or "stderr". Never raises: a full disk must not stop the container."""

        def is_idle(self) -> bool:
            """Whether nothing that was taken is still to be written."""

        def close(self) -> None: ...


def open_driver(settings: dict[str, Any]) -> Driver:
    """The driver that `settings` ask for: driver, path, max_size (bytes, 0 for no limit), max_files, and names."""
    driver = settings["driver"]
    if driver in {"none", "passthrough"}:
        return Nothing()
    if driver == "journald":
        from pod.monitor.journal import Journal

        return Journal(settings)
    file = RotatedFile(settings["path"], settings.get("max_size", 0), settings.get("max_files", 1))
    if driver == "json-file":
        from pod.monitor.jsonlog import JsonFile

        return JsonFile(file)
    return CriFile(file)


class Nothing:
    """Drivers "none", whose output reaches attached terminals only, and "passthrough", which has none."""

    def write(self, stream: str, data: bytes) -> None:
        pass

    def is_idle(self) -> bool:
        return True

    def close(self) -> None:
        pass


class CriFile:
    """Driver "k8s-file"."""

    def __init__(self, file: RotatedFile) -> None:
        self._file = file
        self._clock = Clock()

    def write(self, stream: str, data: bytes) -> None:
        prefix = b"%s %s " % (self._clock.now(), stream.encode())
        end = data.rfind(b"\n")
        parts = []
        if end >= 0:
            whole = prefix + b"F "
            parts.append(whole + data[:end].replace(b"\n", b"\n" + whole) + b"\n")
        if end + 1 < len(data):
            parts.append(prefix + b"P " + data[end + 1 :] + b"\n")
        self._file.write(b"".join(parts))

    def is_idle(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()


class Clock:
    """The present time as RFC 3339 text with nanoseconds and the local offset, always of the same length."""

    def __init__(self) -> None:
        self._second = -1
        self._date = b""
        self._offset = b""

    def now(self) -> bytes:
        second, nanosecond = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            local = time.localtime(second)
            sign, minutes = ("-" if local.tm_gmtoff < 0 else "+"), abs(local.tm_gmtoff) // 60
            self._second = second
            self._date = time.strftime("%Y-%m-%dT%H:%M:%S", local).encode()
            self._offset = f"{sign}{minutes // 60:02}:{minutes % 60:02}".encode()
        return b"%s.%09d%s" % (self._date, nanosecond, self._offset)


class RotatedFile:
    """A file that is renamed to PATH.1, PATH.2, ... when it reaches `max_size` bytes; at most `max_files` are kept.

    With `max_files` 1 the old content is dropped, as docker does. A write that fails (a full disk) loses the piece, is
    noted once in the log of diagnostics, and is tried again with the next piece.
    """

    def __init__(self, path: str, max_size: int, max_files: int) -> None:
        self._path = path
        self._max_size = max_size
        self._max_files = max(1, max_files)
        self._has_failed = False
        self._fd = -1
        self._size = 0
        try:
            self._open()
        except OSError as error:
            raise PodError(
                f"log file '{path}' cannot be opened: {error.strerror}",
                hint="see --log-opt path=FILE",
            ) from error

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size

    def write(self, data: bytes) -> None:
        """Append whole lines, in as many files as they need. Never raises."""
        while data and self._max_size and self._size + len(data) > self._max_size:
            end = data.rfind(b"\n", 0, max(self._max_size - self._size, 0)) + 1
            if end == 0 and self._size == 0:
                end = data.find(b"\n") + 1 or len(
                    data
                )  # a line that is longer than a file may be has one of its own
            if end:
                self._append(data[:end])
                data = data[end:]
            if data and not self._rotate():
                break
        if data:
            self._append(data)

    def _append(self, data: bytes) -> None:
        written = 0
        try:
            if self._fd < 0:
                self._open()
            while written < len(data):
                written += os.write(self._fd, memoryview(data)[written:])
            self._size += written
        except OSError as error:
            if not self._has_failed:
                log.warning(f"output of the container is lost, '{self._path}': {error.strerror}")
            self._has_failed = True
            self._cut(written, data)

    def _cut(self, written: int, data: bytes) -> None:
        """Take the line that was only half written out again, or it would swallow the one that comes next."""
        if self._fd < 0:
            return
        try:
            whole = data.rfind(b"\n", 0, written) + 1
            size = os.fstat(self._fd).st_size - (written - whole)
            if written > whole:
                os.ftruncate(self._fd, size)
            self._size = size
        except OSError as error:
            log.debug(f"'{self._path}' could not be cut at a line: {error}")

    def _rotate(self) -> bool:
        """Begin a new file. False where the old one cannot be renamed now, which then goes on to grow.

        A reader that is just opening the files keeps us from it, by a lock on their directory; it is soon done.
        """
        try:
            directory = os.open(
                os.path.dirname(self._path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            )
        except OSError:
            return False
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return self._rename()
        except OSError:
            return False
        finally:
            os.close(directory)

    def _rename(self) -> bool:
        self.close()
        try:
            if self._max_files == 1:
                os.unlink(self._path)
            else:
                number = 1
                while number < self._max_files - 1 and os.path.exists(f"{self._path}.{number}"):
                    number += 1
                for target in range(number, 0, -1):
                    older = self._path if target == 1 else f"{self._path}.{target - 1}"
                    os.rename(older, f"{self._path}.{target}")
        except FileNotFoundError:
            pass  # somebody has removed it
        except OSError as error:
            log.warning(f"'{self._path}' cannot be rotated: {error.strerror}")
        try:
            self._open()
        except OSError as error:
            log.warning(f"'{self._path}' cannot be opened: {error.strerror}")
            return False  # the next piece tries again
        return self._size == 0

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
