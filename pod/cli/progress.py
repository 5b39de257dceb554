"""How pulls, loads and saves look: bars on a terminal, podman's plain lines elsewhere. Always on standard error."""

from __future__ import annotations

import os
import time

from pod.base.log import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.image.progress import Progress

_SHOWN_DIGITS = 12
_REDRAW_SECONDS = 0.1


def progress_for(*, quiet: bool = False) -> Progress:
    """What suits standard error: nothing, bars, or lines."""
    if quiet:
        from pod.image.progress import Silence

        return Silence()
    if os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb":
        return Bars()
    return Lines()


class Lines:
    """A line for each blob, when its copy begins."""

    def __init__(self) -> None:
        self._begun: set[str] = set()

    def message(self, text: str) -> None:
        _write(visible(text))

    def begin(self) -> None:
        _write("Getting image source signatures")

    def layer_known(self, digest: str, size: int) -> None:
        self._copying(digest, "")

    def already_exists(self, digest: str) -> None:
        self._copying(digest, " skipped: already exists")

    def advance(self, digest: str, count: int) -> None:
        pass

    def done(self, digest: str) -> None:
        pass

    def finish(self) -> None:
        self._begun.clear()

    def _copying(self, digest: str, how: str) -> None:
        if digest not in self._begun:  # an image may have the same layer many times
            self._begun.add(digest)
            _write(f"Copying blob {digest}{how}")


class Bars:
    """A bar for each blob, drawn by rich.

    rich would redraw from a thread of its own and not wait for its end; here whoever brings bytes redraws, when it is
    time to, so that a fork after `finish` cannot meet a second thread.
    """

    def __init__(self) -> None:
        self._drawing: Any = None
        self._drawn = 0.0
        self._tasks: dict[str, Any] = {}

    def message(self, text: str) -> None:
        self._line(visible(text))

    def begin(self) -> None:
        from rich.console import Console  # heavy
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
        from rich.progress import Progress as Drawing

        if self._drawing is not None:
            return
        console = Console(stderr=True, highlight=False)
        self._drawing = Drawing(
            TextColumn("Copying blob {task.description}", markup=False),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            expand=True,
            auto_refresh=False,
            redirect_stdout=False,  # results are written by us alone, after the last bar
            redirect_stderr=False,
        )
        self._drawing.start()

    def layer_known(self, digest: str, size: int) -> None:
        if self._drawing is None or digest in self._tasks:
            return
        self._tasks[digest] = self._drawing.add_task(
            _short(digest), total=size if size > 0 else None
        )

    def already_exists(self, digest: str) -> None:
        self._line(f"Copying blob {_short(digest)} skipped: already exists")

    def advance(self, digest: str, count: int) -> None:
        task = self._tasks.get(digest)
        if task is not None:
            self._drawing.advance(task, count)
            self._refresh()

    def done(self, digest: str) -> None:
        task = self._tasks.get(digest)
        if task is None:
            return
        total = self._drawing.tasks[task].total or self._drawing.tasks[task].completed
        self._drawing.update(task, total=total, completed=total)
        self._drawing.refresh()

    def finish(self) -> None:
        if self._drawing is not None:
            self._drawing.stop()
        self._drawing = None
        self._tasks.clear()

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._drawn > _REDRAW_SECONDS:
            self._drawn = now
            self._drawing.refresh()

    def _line(self, text: str) -> None:
        if self._drawing is None:
            _write(text)
        else:
            self._drawing.console.print(text, markup=False, soft_wrap=True)


def _short(digest: str) -> str:
    return digest.rpartition(":")[2][:_SHOWN_DIGITS]


def _write(text: str) -> None:
    try:
        os.write(2, f"{text}\n".encode("utf-8", "surrogateescape"))
    except OSError:
        pass  # nobody watches; the work goes on
