"""How builds look: podman's plain lines, lines of JSON, or (`build_drawing.py`) a region that is redrawn on a terminal.

Always on standard error or in a log file; what `pod build` prints is the id of the image.
"""

from __future__ import annotations

import os
import time

from pod.base.log import visible
from pod.build.progress import Silence
from pod.image.progress import Silence as SilentPull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pod.build.progress import Progress, Step
    from pod.image.progress import Progress as PullProgress

_SPILL_BYTES = 1 << 20


def progress_for(
    way: str, *, quiet: bool = False, explain: bool = False, log_file: str = "", split: bool = False
) -> Progress:
    """What suits `--progress` WAY and standard error. `finish` closes the log file.

    Raises OSError when that cannot be made.
    """
    if log_file:
        return ToFiles(log_file, split=split, explain=explain)
    if quiet or way in {"quiet", "none"}:
        return Explained() if explain else Silence()
    if way in {"json", "rawjson"}:
        return JsonLines()
    can_draw = os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb"
    if way == "tty" or (way in {"", "auto"} and can_draw):
        from pod.cli.build_drawing import Drawing

        return Drawing(explain=explain)
    return Lines(_to_stderr, explain=explain)


class Explained(Silence):
    """--quiet with --explain: nothing but why steps were executed."""

    def cached(self, step: Step, why: str = "") -> None:
        _to_stderr(f"{title(step)}: cached{f', {why}' if why else ''}\n".encode())

    def working(self, step: Step, why: str = "") -> None:
        _to_stderr(f"{title(step)}: executed{f', {why}' if why else ''}\n".encode())


class Lines:
    """A line for each event, in podman's words. What commands write comes as it is, each line behind its stage's name
    when there are several stages."""

    def __init__(self, write: Callable[[bytes], None], *, explain: bool = False) -> None:
        self._write = write
        self._explain = explain
        self._several = False
        self._is_in_line = False
        self._pieces: dict[Step, bytes] = {}
        self._logs: dict[Step, StepLog] = {}
        self._has_begun: set[Step] = set()

    def message(self, text: str) -> None:
        self._line(visible(text))

    def begin(self, steps: Sequence[Step]) -> None:
        places = {(step.stage, step.platform) for step in steps}
        self._several = self._several or len(places) > 1

    def start(self, step: Step) -> None:
        if step not in self._has_begun:
            self._has_begun.add(step)
            self._line(f"{_prefix(step)}STEP {step.number}/{step.total}: {visible(step.text)}")

    def cached(self, step: Step, why: str = "") -> None:
        self.start(step)
        self._line(f"{_prefix(step)}--> Using cache")
        self._because(step, why)

    def working(self, step: Step, why: str = "") -> None:
        self.start(step)
        self._because(step, why)

    def output(self, step: Step, stream: int, data: bytes) -> None:
        if not self._several:
            self._write(data)
            self._is_in_line = not data.endswith(b"\n")
            return
        self._logs.setdefault(step, StepLog()).add(data)
        lines = (self._pieces.pop(step, b"") + data).split(b"\n")
        if lines[-1]:
            self._pieces[step] = lines[-1]
        prefix = _prefix(step).encode()
        self._write(b"".join(prefix + line + b"\n" for line in lines[:-1]))

    def done(self, step: Step, image_id: str = "") -> None:
        self._end_line(step)
        self._logs.pop(step, None)
        self._line(f"{_prefix(step)}--> {image_id[:12] or 'done'}")

    def failed(self, step: Step, status: int | None, reason: str) -> None:
        self._end_line(step)
        log = self._logs.pop(step, None)
        if log is not None and log.size:
            self._line(f"{_prefix(step)}what '{visible(step.text)}' has written:")
            log.replay(self._write)
        for line in failure(step, status, reason):
            self._line(line)

    def cancelled(self, step: Step) -> None:
        self._end_line(step)
        self._line(f"{_prefix(step)}--> cancelled")

    def transfer(self, what: str = "") -> PullProgress:
        from pod.cli.progress import Lines as PullLines

        return PullLines()

    def tick(self) -> None:
        pass

    def exporting(self, what: str) -> None:
        self._line(f"COMMIT {visible(what)}")

    def finish(self) -> None:
        for step in list(self._pieces):
            self._end_line(step)

    def _because(self, step: Step, why: str) -> None:
        if self._explain and why:
            self._line(f"{_prefix(step)}    {visible(why)}")

    def _end_line(self, step: Step) -> None:
        rest = self._pieces.pop(step, b"")
        if rest:
            self._write(_prefix(step).encode() + rest + b"\n")

    def _line(self, text: str) -> None:
        start = "\n" if self._is_in_line else ""
        self._is_in_line = False
        self._write(f"{start}{text}\n".encode("utf-8", "surrogateescape"))


class ToFiles(Lines):
    """--logfile: the same lines in a file; with `split`, in one for each platform."""

    def __init__(self, path: str, *, split: bool, explain: bool) -> None:
        self._path = path
        self._split = split
        self._fds: dict[str, int] = {}
        self._platform = ""
        if not split:
            self._open("")
        super().__init__(self._to_file, explain=explain)

    def start(self, step: Step) -> None:
        self._platform = step.platform
        super().start(step)

    def output(self, step: Step, stream: int, data: bytes) -> None:
        self._platform = step.platform
        super().output(step, stream, data)

    def done(self, step: Step, image_id: str = "") -> None:
        self._platform = step.platform
        super().done(step, image_id)

    def failed(self, step: Step, status: int | None, reason: str) -> None:
        self._platform = step.platform
        super().failed(step, status, reason)

    def transfer(self, what: str = "") -> PullProgress:
        return SilentPull()

    def finish(self) -> None:
        super().finish()
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def _to_file(self, data: bytes) -> None:
        view = memoryview(data)
        fd = self._open(self._platform if self._split else "")
        while view:
            view = view[os.write(fd, view) :]

    def _open(self, platform: str) -> int:
        if platform not in self._fds:
            path = f"{self._path}_{platform.replace('/', '_')}" if platform else self._path
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
            self._fds[platform] = os.open(path, flags, 0o644)
        return self._fds[platform]


class JsonLines:
    """An object for each event, one a line: "event", "time" (seconds since 1970), and what the event has."""

    def message(self, text: str) -> None:
        self._put("message", text=text)

    def begin(self, steps: Sequence[Step]) -> None:
        self._put("begin", steps=[_described(step) for step in steps])

    def start(self, step: Step) -> None:
        self._put("start", step)

    def cached(self, step: Step, why: str = "") -> None:
        self._put("cached", step, why=why)

    def working(self, step: Step, why: str = "") -> None:
        self._put("working", step, why=why)

    def output(self, step: Step, stream: int, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        self._put("output", step, stream="stderr" if stream == 2 else "stdout", text=text)

    def done(self, step: Step, image_id: str = "") -> None:
        self._put("done", step, image=image_id)

    def failed(self, step: Step, status: int | None, reason: str) -> None:
        self._put("failed", step, status=status, reason=reason, lines=list(step.lines))

    def cancelled(self, step: Step) -> None:
        self._put("cancelled", step)

    def transfer(self, what: str = "") -> PullProgress:
        return _PullEvents(self._put, what)

    def tick(self) -> None:
        pass

    def exporting(self, what: str) -> None:
        self._put("exporting", text=what)

    def finish(self) -> None:
        pass

    def _put(self, event: str, step: Step | None = None, **more: Any) -> None:
        import json  # heavy

        document = {"event": event, "time": round(time.time(), 3)}
        if step is not None:
            document |= _described(step)
        document |= {key: value for key, value in more.items() if value not in (None, "")}
        _to_stderr(f"{json.dumps(document)}\n".encode())


class _PullEvents(SilentPull):
    """An image that is fetched, as "pull" events: "image", "blob", "size" in bytes, "state"."""

    def __init__(self, put: Callable[..., None], what: str) -> None:
        self._put = put
        self._what = what

    def message(self, text: str) -> None:
        self._put("message", text=text)

    def layer_known(self, digest: str, size: int) -> None:
        self._put("pull", image=self._what, blob=digest, size=size, state="begun")

    def already_exists(self, digest: str) -> None:
        self._put("pull", image=self._what, blob=digest, state="here")

    def done(self, digest: str) -> None:
        self._put("pull", image=self._what, blob=digest, state="done")


class StepLog:
    """All that a step has written, however much that is."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[bytes] = []
        self._file: Any = None

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if self._file is None:
            self._parts.append(data)
            if self.size <= _SPILL_BYTES:
                return
            import tempfile  # heavy

            self._file = tempfile.TemporaryFile()  # noqa: SIM115 — it goes with this object
            data = b"".join(self._parts)
            self._parts.clear()
        self._file.write(data)

    def replay(self, write: Callable[[bytes], None]) -> None:
        """Write all of it, with a line break at its end."""
        last = b""
        for part in self._all():
            write(part)
            last = part
        if last and not last.endswith(b"\n"):
            write(b"\n")

    def _all(self) -> Any:
        if self._file is None:
            yield from self._parts
            return
        self._file.seek(0)
        while part := self._file.read(1 << 16):
            yield part


def title(step: Step) -> str:
    """A step for a line of its own: "[builder 2/5] RUN make"."""
    words = [word for word in (step.platform, step.stage, f"{step.number}/{step.total}") if word]
    return f"[{' '.join(words)}] {visible(step.text)}"


def failure(step: Step, status: int | None, reason: str) -> list[str]:
    """The lines of a Dockerfile that have failed, and how; a `reason` that begins with them says them once."""
    lines = []
    if step.first_line:
        span = f"{step.first_line}"
        if step.last_line > step.first_line:
            span += f"-{step.last_line}"
        where = f"{step.file or 'Dockerfile'}:{span}:"
        lines.append(visible(where))
        if reason.startswith(where):
            reason = reason.removeprefix(where).partition("\n")[0].strip()
        width = len(str(step.last_line))
        for number, text in enumerate(step.lines, step.first_line):
            lines.append(f"  {number:>{width}} | {visible(text)}")
    if status is not None:
        lines.append(f"  exit status {status}")
    elif reason:
        lines.append(f"  {visible(reason)}")
    return lines


def _described(step: Step) -> dict[str, Any]:
    document = {
        "step": step.number,
        "total": step.total,
        "instruction": step.text,
        "stage": step.stage,
        "platform": step.platform,
        "file": step.file,
        "line": step.first_line,
    }
    return {key: value for key, value in document.items() if value not in ("", 0)}


def _prefix(step: Step) -> str:
    words = [word for word in (step.platform, step.stage) if word]
    return f"[{' '.join(words)}] " if words else ""


def _to_stderr(data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(2, view) :]
    except OSError:
        pass  # nobody watches; the work goes on
