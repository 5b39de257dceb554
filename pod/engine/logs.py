"""`pod logs`: what a container has written, from its log driver, and on request what it writes from now on."""

from __future__ import annotations

import errno
import os
import select
import time

from pod.base.errors import Unsupported
from pod.base.records import Record
from pod.engine import client, finish, logfile
from pod.linux import processes, signals, sockets
from pod.spec import monitor
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.engine.context import Engine
    from pod.linux import inotify
    from pod.state.containers import Container

    Sink = Callable[[bytes, bytes, bytes], None]  # stream, time (b"" where nobody asked), text

_ABSENT_MILLISECONDS = 20


class Selection(Record):
    """Which lines: nanoseconds since 1970, 0 for no limit; `tail` -1 for all."""

    since_ns: int = 0
    until_ns: int = 0
    tail: int = -1
    follow: bool = False
    times: bool = False
    outputs: tuple[int, ...] = ()  # descriptors; following ends when nobody reads them any more


def show(engine: Engine, container: Container, selection: Selection, sink: Sink) -> None:
    """Give every selected piece of output to `sink`, and nothing of no stream at its end.

    With `follow` that is the end of the container.
    """
    driver = container.config.log.driver
    if driver in {"none", "passthrough"}:
        raise Unsupported(
            f"reading the logs of container '{container.name}'",
            f"its log driver is '{driver}', which keeps none",
        )
    if driver == "journald":
        from pod.engine import journal

        channel = _connect(engine, container) if selection.follow else None
        journal.show(container, selection, sink, channel)
        sink(b"", b"", b"")
        return
    path = log_path(engine, container)
    reader = Reader(path, driver, selection, sink)
    channel = _connect(engine, container) if selection.follow else None
    try:
        reader.read_all()
        if channel is not None:
            reader.follow(channel)
        sink(b"", b"", b"")
    finally:
        reader.close()
        if channel is not None:
            channel.close()


def _connect(engine: Engine, container: Container) -> sockets.Channel | None:
    """A connection to the monitor, which tells of the container's end; None when it does not run."""
    while True:
        container, run = finish.refresh(engine, container)
        if run is None or run.end:
            return None
        channel = client.connect(engine.paths.run(container.id))
        if channel is not None:
            return channel
        rows = containers.by_ids(engine.database, [container.id])
        if not rows:
            return None
        container = rows[0]
        time.sleep(client.PAUSE_SECONDS)  # it is being started, or its end is being written down


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
            lambda container=container, sink=sink: _show_in_child(  # type: ignore[misc]
                engine, container, selection, sink
            ),
            what=f"show the logs of container '{container.name}'",
        )
        for container, sink in found
    ]
    for child in children:
        child.result()


def _show_in_child(engine: Engine, container: Container, selection: Selection, sink: Sink) -> None:
    from pod.linux import syscalls  # heavy

    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signals.SIGKILL)  # whoever ends the command means all
    show(engine, container, selection, sink)


def log_path(engine: Engine, container: Container) -> str:
    """The log file of a container whose driver writes one."""
    return container.config.log.path or f"{engine.paths.container(container.id)}/ctr.log"


class Reader:
    """Gives the selected lines of a log file, and of those it was rotated into, to `sink`. The holder closes it."""

    def __init__(self, path: str, driver: str, selection: Selection, sink: Sink) -> None:
        self.path = path
        self.driver = driver
        self.selection = selection
        self.sink = sink
        self.fd = -1
        self._taken = 0  # how often another file was taken
        self.is_over = False  # a line later than `until` was seen

    def read_all(self) -> None:
        """What is there now. The newest file stays open, for `follow`."""
        opened = logfile.open_files(self.path)
        offset = 0
        if self.selection.tail >= 0:
            opened, offset = self._find_tail(opened)
        for fd in opened:
            self._take(fd)
            if offset >= 0:
                os.lseek(fd, offset, os.SEEK_SET)
                self._read_on()
            else:
                os.lseek(fd, 0, os.SEEK_END)
            offset = 0

    def close(self) -> None:
        """Close what is open; twice does no harm."""
        self._take(-1)

    def _find_tail(self, opened: list[int]) -> tuple[list[int], int]:
        """Those files that hold the last lines, and where they begin in the first of them; -1 for none of them."""
        kept: list[int] = []
        left, offset = self.selection.tail, -1
        for fd in reversed(opened):
            if kept and left <= 0:
                os.close(fd)
                continue
            kept.insert(0, fd)
            if left > 0:
                offset, found = logfile.offset_of_tail(fd, left, self.driver, goes_on=len(kept) > 1)
                left -= found
        return kept, offset

    def follow(self, channel: sockets.Channel) -> None:
        """Read on whenever the file grows or another takes its place, until the monitor tells of the end."""
        ended = False
        while not (ended or self.is_over):
            watch = None if self.fd < 0 else _watch(self.fd)
            try:
                ended = self._follow_file(channel, watch)
            finally:
                if watch is not None:
                    watch.close()
        self._read_to_newest()

    def _follow_file(self, channel: sockets.Channel, watch: inotify.Watch | None) -> bool:
        """Read on until another file takes the open one's place; True when the monitor tells of the end."""
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        if watch is not None:
            poll.register(watch.fileno(), select.POLLIN)
        for fd in self.selection.outputs:
            poll.register(fd, 0)
        taken = self._taken
        while True:
            self._read_to_newest()
            if self._taken != taken or self.is_over:
                return False
            # Nothing tells of a file that a rotation is just making.
            ready = {fd for fd, _ in poll.poll(None if self._is_newest() else _ABSENT_MILLISECONDS)}
            if channel.fileno() in ready and tells_end(channel):
                return True
            if not ready.isdisjoint(self.selection.outputs):
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
            if watch is not None:
                watch.take()

    def _read_to_newest(self) -> None:
        """Read to the end of the file that is open, and of those that have taken its place since."""
        while not self.is_over:
            self._read_on()
            newer = self._newer_files()
            if not newer:
                return
            self._read_on()  # now that it is known to be complete
            for fd in newer[:-1]:
                self._take(fd)
                self._read_on()
            self._take(newer[-1])

    def _is_newest(self) -> bool:
        """Whether the file that is open is the one that is written; not so while a rotation is between two files."""
        try:
            return self.fd >= 0 and os.path.samestat(os.fstat(self.fd), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _newer_files(self) -> list[int]:
        """Descriptors of the files that came after the one that is open, the oldest first."""
        if self._is_newest():
            return []
        ours = None if self.fd < 0 else os.fstat(self.fd)
        newer = logfile.open_files(self.path)
        for index, fd in enumerate(newer):
            if ours is not None and os.path.samestat(ours, os.fstat(fd)):
                for older in newer[: index + 1]:
                    os.close(older)
                return newer[index + 1 :]
        return newer

    def _take(self, fd: int) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = fd
        self._taken += 1

    def _read_on(self) -> None:
        if self.fd < 0:
            return
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


def tells_end(channel: sockets.Channel) -> bool:
    """Take what the monitor sends; whether it is the container's end, or its own."""
    kind, value, _ = channel.receive()
    return not kind or (kind == sockets.MESSAGE and value[0] == monitor.EXITED)


def _watch(fd: int) -> inotify.Watch:
    """Be told of growth, of a rename, and of a removal: IN_ATTRIB, since the file is there as long as it is open."""
    from pod.linux import inotify

    return inotify.Watch(
        f"/proc/self/fd/{fd}", inotify.IN_MODIFY | inotify.IN_MOVE_SELF | inotify.IN_ATTRIB
    )
