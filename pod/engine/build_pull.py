"""A base image that has to be fetched while other stages of a build go on: in a child, which tells how far it is."""

from __future__ import annotations

import os
import threading

from pod.build.tasks import Job
from pod.engine import images
from pod.linux import processes, signals, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from pod.build.progress import Progress
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.image.progress import Progress as PullProgress
    from storage.images import ImageRecord


def fetch(
    engine: Engine, text: str, options: PullOptions, progress: Progress
) -> Generator[Any, Any, ImageRecord]:
    """As `images.ensure`, as a part of a task (pod/build/tasks.py)."""
    drawn = progress.transfer(text)
    try:
        digest = yield lambda: _start(engine, text, options, drawn)
    finally:
        drawn.finish()
    return images.with_layers(engine, engine.store.images.lookup(digest))


def _start(engine: Engine, text: str, options: PullOptions, drawn: PullProgress) -> Job:
    engine.close()  # a connection must not cross the fork
    read_fd, write_fd = os.pipe()

    def work() -> str:
        # A build that is killed fetches nothing any more.
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signals.SIGKILL)
        told = options.replace(progress=lambda: _Teller(write_fd))
        return images.ensure(engine, text, told).digest

    try:
        child = processes.fork(work, what=f"fetch the image '{text}'", keep=[write_fd])
    except BaseException:
        os.close(read_fd)
        raise
    finally:
        os.close(write_fd)
    return Job(child, {read_fd: _Listener(drawn).hear})


class _Teller:
    """The progress of the child: a line into the pipe for each event, from whichever thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def message(self, text: str) -> None:
        self._tell("message", text.replace("\n", " "))

    def begin(self) -> None:
        self._tell("begin")

    def layer_known(self, digest: str, size: int) -> None:
        self._tell("layer_known", digest, size)

    def already_exists(self, digest: str) -> None:
        self._tell("already_exists", digest)

    def advance(self, digest: str, count: int) -> None:
        self._tell("advance", digest, count)

    def done(self, digest: str) -> None:
        self._tell("done", digest)

    def finish(self) -> None:
        self._tell("finish")

    def _tell(self, *words: str | int) -> None:
        line = "\t".join(map(str, words))
        data = memoryview(f"{line}\n".encode("utf-8", "surrogateescape"))
        with self._lock:
            while data:
                data = data[os.write(self._fd, data) :]


class _Listener:
    """Hands the lines of a _Teller on."""

    def __init__(self, drawn: PullProgress) -> None:
        self._drawn = drawn
        self._rest = b""

    def hear(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            kind, _, rest = line.decode("utf-8", "surrogateescape").partition("\t")
            if kind == "message":
                self._drawn.message(rest)
                continue
            words = rest.split("\t") if rest else []
            getattr(self._drawn, kind)(*words[:1], *map(int, words[1:]))
