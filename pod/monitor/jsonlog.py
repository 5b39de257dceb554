"""The log driver "json-file": one JSON object a line, as docker writes it."""

from __future__ import annotations

import json
import time

from pod.monitor.logs import RotatedFile


class JsonFile:
    """Each line of output becomes {"log": "text\\n", "stream": "stdout", "time": "..."}; UTC, nanoseconds.

    JSON is text: bytes that are not UTF-8 become U+FFFD. A character that a piece ends within waits for the next one.
    """

    def __init__(self, file: RotatedFile) -> None:
        self._file = file
        self._rest = {"stdout": b"", "stderr": b""}

    def write(self, stream: str, data: bytes) -> None:
        data = self._rest[stream] + data
        end = len(data) - _unfinished(data)
        self._rest[stream] = data[end:]
        self._write_text(stream, data[:end].decode("utf-8", "replace"))

    def _write_text(self, stream: str, text: str) -> None:
        second, nanosecond = divmod(time.time_ns(), 1_000_000_000)
        date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        tail = f',"stream":"{stream}","time":"{date}.{nanosecond:09}Z"}}\n'
        *lines, rest = text.split("\n")
        pieces = [line + "\n" for line in lines] + [rest] * bool(rest)
        self._file.write("".join('{"log":' + json.dumps(line) + tail for line in pieces).encode())

    def is_idle(self) -> bool:
        return not any(self._rest.values())

    def close(self) -> None:
        for stream, rest in self._rest.items():
            if rest:
                self._write_text(stream, rest.decode("utf-8", "replace"))
        self._file.close()


def _unfinished(data: bytes) -> int:
    """How many bytes at the end are the beginning of a character in UTF-8."""
    for length in range(1, min(3, len(data)) + 1):
        byte = data[-length]
        if byte & 0xC0 != 0x80:  # not a continuation: a character begins here
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return length if length < needed else 0
    return 0
