"""The log driver "json-file": one JSON object a line, as docker writes it."""

from __future__ import annotations

import json
import time

from pod.monitor.logs import RotatedFile


class JsonFile:
    """Each line of output becomes {"log": "text\\n", "stream": "stdout", "time": "..."}; UTC, nanoseconds."""

    def __init__(self, file: RotatedFile) -> None:
        self._file = file

    def write(self, stream: str, data: bytes) -> None:
        second, nanosecond = divmod(time.time_ns(), 1_000_000_000)
        date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        tail = f',"stream":"{stream}","time":"{date}.{nanosecond:09}Z"}}\n'
        *lines, rest = data.decode("utf-8", "replace").split("\n")
        pieces = [line + "\n" for line in lines] + [rest] * bool(rest)
        self._file.write("".join('{"log":' + json.dumps(line) + tail for line in pieces).encode())

    def is_idle(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
