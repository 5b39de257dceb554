"""`pod logs` of containers that log to the journal, read by journalctl(1)."""

from __future__ import annotations

import errno
import json
import os
import select
import subprocess

from pod.base.errors import PodError
from pod.engine.logs import tells_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.logs import Selection, Sink
    from pod.linux import sockets
    from pod.state.containers import Container


def show(
    container: Container, selection: Selection, sink: Sink, channel: sockets.Channel | None
) -> None:
    """Give the container's entries to `sink`; with a `channel` to its monitor, which is closed, until it ends."""
    command = ["journalctl", "--output=json", "--quiet", f"CONTAINER_ID_FULL={container.id}"]
    for option, value in (("--since", selection.since_ns), ("--until", selection.until_ns)):
        if value:
            command.append(f"{option}=@{value / 1e9:.6f}")
    shown = [f"--lines={selection.tail}"] if selection.tail >= 0 else []
    reader = Reader(selection, sink)
    try:
        if channel is not None:
            reader.follow([*command, *(shown or ["--no-tail"]), "--follow"], channel)
            shown = [f"--after-cursor={reader.cursor}"] if reader.cursor else shown
        reader.read([*command, *shown])
    finally:
        if channel is not None:
            channel.close()


class Reader:
    """Gives what journalctl prints to `sink`."""

    def __init__(self, selection: Selection, sink: Sink) -> None:
        self.cursor = ""  # of the last entry
        self._selection = selection
        self._sink = sink

    def read(self, command: list[str]) -> None:
        """All that the journal has."""
        with _start(command) as process:
            assert process.stdout is not None
            for line in process.stdout:
                self._take(line)

    def follow(self, command: list[str], channel: sockets.Channel) -> None:
        """What comes, until the container ends or nobody reads our output. What came last may be left for `read`."""
        with _start(command) as process:
            assert process.stdout is not None
            poll = select.poll()
            for fd in (process.stdout.fileno(), channel.fileno()):
                poll.register(fd, select.POLLIN)
            for fd in self._selection.outputs:
                poll.register(fd, 0)
            rest = b""
            try:
                while True:
                    ready = {fd for fd, _ in poll.poll()}
                    if not ready.isdisjoint(self._selection.outputs):
                        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
                    if process.stdout.fileno() in ready:
                        data = os.read(process.stdout.fileno(), 1 << 16)
                        *lines, rest = (rest + data).split(b"\n")
                        for line in lines:
                            self._take(line)
                        if not data:
                            return
                    elif channel.fileno() in ready and tells_end(channel):
                        return
            finally:
                process.kill()

    def _take(self, line: bytes) -> None:
        entry = json.loads(line)
        self.cursor = entry.get("__CURSOR", "")
        message = entry.get("MESSAGE") or ""
        text = bytes(message) if isinstance(message, list) else str(message).encode()
        stream = b"stderr" if entry.get("PRIORITY") == "3" else b"stdout"
        times = self._selection.times
        time = _rfc3339(int(entry["__REALTIME_TIMESTAMP"])) if times else b""
        self._sink(stream, time, text + b"\n")


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE)
    except FileNotFoundError as error:
        raise PodError(
            "journalctl is not installed, and the logs of this container are in the journal",
            hint="use --log-driver k8s-file for containers whose logs you want to read here",
        ) from error


def _rfc3339(microseconds: int) -> bytes:
    import time

    seconds, fraction = divmod(microseconds, 1_000_000)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{fraction:06}000Z", time.gmtime(seconds)).encode()
