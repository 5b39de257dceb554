"""The log driver "journald": systemd-journald's native protocol, one datagram an entry.

See systemd.journal-fields(7) and https://systemd.io/JOURNAL_NATIVE_PROTOCOL. Fields are podman's: CONTAINER_ID,
CONTAINER_ID_FULL, CONTAINER_NAME, CONTAINER_TAG, IMAGE_NAME; PRIORITY is 6 for stdout and 3 for stderr.
"""

from __future__ import annotations

import _socket
import errno

from pod.base import ids, log
from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET = "/run/systemd/journal/socket"
_MAX_LINE = (
    48 * 1024
)  # a longer entry would need a memfd; longer lines are split, as the driver's peers do

_GONE = {errno.ECONNREFUSED, errno.ECONNRESET, errno.ENOTCONN}


class NoJournal(PodError):
    """Nobody takes entries for the journal here."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(
            f"the journal cannot be reached at '{path}': {error.strerror}",
            hint="use another log driver, such as --log-driver k8s-file",
        )


class Journal:
    """Each line becomes an entry; the end of a line that never comes is sent when the driver closes."""

    def __init__(self, settings: dict[str, Any]) -> None:
        fields = {
            "CONTAINER_ID": ids.short(settings["id"]),
            "CONTAINER_ID_FULL": settings["id"],
            "CONTAINER_NAME": settings["name"],
            "IMAGE_NAME": settings["image"],
            "CONTAINER_TAG": settings.get("tag") or ids.short(settings["id"]),
            "SYSLOG_IDENTIFIER": settings.get("tag") or settings["name"],
        }
        self._common = b"".join(
            _field(name, value.encode("utf-8", "surrogateescape"))
            for name, value in fields.items()
            if value
        )
        self._rest = {"stdout": b"", "stderr": b""}
        self._path = settings.get("socket", SOCKET)
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
        try:
            self._socket.connect(self._path)
        except OSError as error:
            self._socket.close()
            raise NoJournal(self._path, error) from error
        self._failed = False

    def write(self, stream: str, data: bytes) -> None:
        *lines, rest = (self._rest[stream] + data).split(b"\n")
        for line in lines:
            self._send(stream, line)
        while len(rest) > _MAX_LINE:
            self._send(stream, rest[:_MAX_LINE])
            rest = rest[_MAX_LINE:]
        self._rest[stream] = rest

    def _send(self, stream: str, line: bytes) -> None:
        priority = b"6" if stream == "stdout" else b"3"
        for start in range(0, max(len(line), 1), _MAX_LINE):
            entry = _field("MESSAGE", line[start : start + _MAX_LINE]) + _field(
                "PRIORITY", priority
            )
            try:
                self._send_entry(self._common + entry)
            except OSError as error:
                if not self._failed:
                    log.warning(f"journald does not take the container's output: {error.strerror}")
                self._failed = True

    def _send_entry(self, entry: bytes) -> None:
        try:
            self._socket.send(entry)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            # journald may have a new socket by now
            self._socket.connect(self._path)
            self._socket.send(entry)

    def is_idle(self) -> bool:
        return not any(self._rest.values())

    def close(self) -> None:
        for stream, rest in self._rest.items():
            if rest:
                self._send(stream, rest)
        self._socket.close()


def _field(name: str, value: bytes) -> bytes:
    """A field in the form that may hold any byte: name, newline, length as 64 bits little-endian, value."""
    return b"%s\n%s%s\n" % (name.encode(), len(value).to_bytes(8, "little"), value)
