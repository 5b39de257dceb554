"""`pod logs`: what a container has written, from its log driver, and on request what it writes from now on."""

from __future__ import annotations

import os
import select

from pod.base.errors import PodError, Unsupported
from pod.base.records import Record
from pod.engine import finish, logfile
from pod.linux import processes, sockets
from pod.spec import monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.engine.context import Engine
    from pod.state.containers import Container

    Sink = Callable[[bytes, bytes, bytes], None]  # stream, time (b"" where nobody asked), text


class Selection(Record):
    """Which lines: nanoseconds since 1970, 0 for no limit; `tail` -1 for all."""

    since_ns: int = 0
    until_ns: int = 0
    tail: int = -1
    follow: bool = False
    times: bool = False


def show(engine: Engine, container: Container, selection: Selection, sink: Sink) -> None:
    """Give every selected piece of output to `sink`; with `follow`, until the container ends."""
    driver = container.config.log.driver
    if driver in {"none", "passthrough"}:
        raise Unsupported(
            f"reading the logs of container '{container.name}'",
            f"its log driver is '{driver}', which keeps none",
        )
    if driver == "journald":
        from pod.engine import journal

        journal.show(container, selection, sink)
        return
    path = log_path(engine, container)
    reader = _Reader(path, driver, selection, sink)
    container, run = finish.refresh(engine, container)
    channel = None
    if selection.follow and run is not None:
        try:
            channel = sockets.connect(engine.paths.run(container.id), monitor.SOCKET)
        except OSError:
            channel = None  # it has just ended
    reader.read_all()
    if channel is not None:
        try:
            reader.follow(channel)
        finally:
            channel.close()


def show_several(engine: Engine, found: list[tuple[Container, Sink]], selection: Selection) -> None:
    """The same for several containers; one after the other, or when following, all at once.

    Sinks of containers that are followed are called in child processes.
    """
    if not selection.follow:
        for container, sink in found:
            show(engine, container, selection, sink)
        return
    engine.close()  # a connection must not cross the fork
    children = [
        processes.fork(
            lambda container=container, sink=sink: show(engine, container, selection, sink),  # type: ignore[misc]
            what=f"show the logs of container '{container.name}'",
        )
        for container, sink in found
    ]
    for child in children:
        child.result()


def log_path(engine: Engine, container: Container) -> str:
    """The log file of a container whose driver writes one."""
    return container.config.log.path or f"{engine.paths.container(container.id)}/ctr.log"


class _Reader:
    def __init__(self, path: str, driver: str, selection: Selection, sink: Sink) -> None:
        self.path = path
        self.driver = driver
        self.selection = selection
        self.sink = sink
        self.fd = -1
        self.is_over = False  # a line later than `until` was seen

    def read_all(self) -> None:
        """What is there now."""
        names = [name for name in logfile.files_of(self.path) if os.path.exists(name)]
        offset = 0
        if self.selection.tail >= 0:
            names, offset = self._find_tail(names)
        for name in names:
            self._open(name)
            os.lseek(self.fd, offset, os.SEEK_SET)
            offset = 0
            self._read_on()
        if self.fd < 0 and os.path.exists(self.path):
            self._open(self.path)
            os.lseek(self.fd, 0, os.SEEK_END)

    def _find_tail(self, names: list[str]) -> tuple[list[str], int]:
        """The files that hold the last lines, and where they begin in the first of them."""
        kept: list[str] = []
        left, offset = self.selection.tail, 0
        while names and left > 0:
            name = names.pop()
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                offset, found = logfile.offset_of_tail(fd, left, self.driver)
            finally:
                os.close(fd)
            kept.insert(0, name)
            left -= found
        return kept, offset

    def follow(self, channel: sockets.Channel) -> None:
        """Read on whenever the file grows, until the monitor tells of the end."""
        from pod.linux import inotify

        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        ended = False
        while not ended and not self.is_over:
            if self.fd < 0:
                self._open(self.path)
            watch = inotify.Watch(
                self.path, inotify.IN_MODIFY | inotify.IN_MOVE_SELF | inotify.IN_DELETE_SELF
            )
            poll.register(watch.fileno(), select.POLLIN)
            try:
                while not self.is_over and not self._was_rotated():
                    self._read_on()
                    ready = {fd for fd, _ in poll.poll()}
                    watch.take()
                    if channel.fileno() in ready:
                        kind, value, _ = channel.receive()
                        if not kind or (kind == sockets.MESSAGE and value[0] == monitor.EXITED):
                            ended = True
                            break
                self._read_on()
                if self._was_rotated():
                    self._close()
            except FileNotFoundError:
                ended = True  # removed together with its container
            finally:
                poll.unregister(watch.fileno())
                watch.close()

    def _was_rotated(self) -> bool:
        ours, there = os.fstat(self.fd), os.stat(self.path)
        return (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino)

    def _read_on(self) -> None:
        for chunk in logfile.read_chunks(self.fd):
            self._deliver(chunk)
            if self.is_over:
                return

    def _deliver(self, chunk: bytes) -> None:
        chosen = self.selection
        if not (chosen.since_ns or chosen.until_ns or chosen.times):
            for stream, text in logfile.split_streams(chunk, self.driver):
                self.sink(stream, b"", text)
            return
        for line in logfile.parse(chunk, self.driver):
            if chosen.since_ns or chosen.until_ns:
                at = logfile.parse_time(line.time.decode("ascii", "replace"))
                if at < chosen.since_ns:
                    continue
                if chosen.until_ns and at > chosen.until_ns:
                    self.is_over = True
                    return
            self.sink(line.stream, line.time if chosen.times else b"", line.text)

    def _open(self, path: str) -> None:
        self._close()
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise PodError(f"the log file '{path}' is missing", hint="pod system check") from error

    def _close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
