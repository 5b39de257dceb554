"""A build on a terminal, drawn by rich: steps that are over stay as lines, those that run are redrawn below them.

As for pulls (`progress.py`), rich gets no thread of its own: whoever brings news redraws when it is time to, so that no
fork meets a second thread.
"""

from __future__ import annotations

import time

from pod.base.log import visible
from pod.cli.build_progress import StepLog, failure, title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.build.progress import Step
    from pod.image.progress import Progress as PullProgress

_REDRAW_SECONDS = 0.1
_SHOWN_LINES = 6  # of what a running step has written, fewer when many run
_MOST_STEPS = 12


class Drawing:
    """Steps in parallel with their times and the last lines of each; cached ones grey."""

    def __init__(self, *, explain: bool = False) -> None:
        from rich.console import Console  # heavy
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False, force_terminal=True)
        self._live: Any = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._explain = explain
        self._is_live = False
        self._drawn = 0.0
        self._running: dict[Step, _Running] = {}
        self._pulls: list[_Pull] = []
        self._exporting = ""
        self._total = 0
        self._over = 0
        self._begun = time.monotonic()

    def message(self, text: str) -> None:
        self._print(visible(text), "yellow" if text.startswith("warning") else "")

    def begin(self, steps: Sequence[Step]) -> None:
        self._total += len(steps)
        if not self._is_live:
            self._live.start()
            self._is_live = True

    def start(self, step: Step) -> None:
        if step not in self._running:
            self._running[step] = _Running()
        self._redraw()

    def cached(self, step: Step, why: str = "") -> None:
        self._running.pop(step, None)
        self._over += 1
        self._print(f"CACHED {title(step)}", "bright_black")
        self._because(why)

    def working(self, step: Step, why: str = "") -> None:
        self.start(step)
        self._because(why, title(step))

    def output(self, step: Step, stream: int, data: bytes) -> None:
        running = self._running.setdefault(step, _Running())
        running.add(data)
        self._redraw()

    def done(self, step: Step, image_id: str = "") -> None:
        running = self._running.pop(step, None)
        self._over += 1
        self._print(f"{title(step)}  {running.seconds() if running else ''}")

    def failed(self, step: Step, status: int | None, reason: str) -> None:
        running = self._running.pop(step, None)
        self._print(f"FAILED {title(step)}", "red")
        if running is not None and running.log.size:
            running.log.replay(
                lambda data: self._print(_sober(data.decode("utf-8", "replace")), end="")
            )
        for line in failure(step, status, reason):
            self._print(line, "red")

    def cancelled(self, step: Step) -> None:
        self._running.pop(step, None)
        self._print(f"CANCELLED {title(step)}", "bright_black")

    def transfer(self, what: str = "") -> PullProgress:
        pull = _Pull(self, what)
        self._pulls.append(pull)
        return pull

    def tick(self) -> None:
        self._redraw()

    def exporting(self, what: str) -> None:
        self._exporting = f"exporting to {visible(what)}"
        self._redraw()

    def finish(self) -> None:
        if self._is_live:
            self._is_live = False
            self._live.update("", refresh=True)
            self._live.stop()

    def pull_changed(self, pull: _Pull, *, over: bool) -> None:
        if over and pull in self._pulls:
            self._pulls.remove(pull)
        self._redraw()

    def _because(self, why: str, what: str = "") -> None:
        if self._explain and why:
            self._print(f"  {what + ': ' if what else ''}{visible(why)}", "cyan")

    def _print(self, text: str, style: str = "", end: str = "\n") -> None:
        self._console.print(text, style=style or None, markup=False, soft_wrap=True, end=end)

    def _redraw(self) -> None:
        now = time.monotonic()
        if self._is_live and now - self._drawn > _REDRAW_SECONDS:
            self._drawn = now
            self._live.update(self._region(now), refresh=True)

    def _region(self, now: float) -> Any:
        from rich.text import Text  # heavy

        region = Text(no_wrap=True, overflow="ellipsis")
        seconds = now - self._begun
        region.append(f"Building {self._over}/{self._total}  {seconds:.1f}s", style="bold")
        shown = list(self._running.items())[:_MOST_STEPS]
        lines = _SHOWN_LINES if len(shown) <= 2 else 2
        for step, running in shown:
            region.append(f"\n => {title(step)}  {running.seconds()}")
            for line in running.last(lines):
                region.append(f"\n    {line}", style="bright_black")
        if len(self._running) > len(shown):
            region.append(f"\n => {len(self._running) - len(shown)} more", style="bright_black")
        for pull in self._pulls:
            region.append(f"\n => {pull.text()}")
        if self._exporting:
            region.append(f"\n => {self._exporting}")
        return region


class _Running:
    """A step that runs: since when, what it has written, and the last lines of that."""

    def __init__(self) -> None:
        self.log = StepLog()
        self._since = time.monotonic()
        self._tail = b""

    def add(self, data: bytes) -> None:
        self.log.add(data)
        self._tail = (self._tail + data)[-4096:]

    def seconds(self) -> str:
        return f"{time.monotonic() - self._since:.1f}s"

    def last(self, count: int) -> list[str]:
        lines = self._tail.decode("utf-8", "replace").split("\n")
        shown = [_sober(line.rstrip("\r").rpartition("\r")[2]) for line in lines]
        return [line for line in shown if line.strip()][-count:]


class _Pull:
    """One image that is pulled, as a line with its bytes so far."""

    def __init__(self, drawing: Drawing, what: str) -> None:
        self._drawing = drawing
        self._what = what
        self._sizes: dict[str, int] = {}
        self._here = 0

    def begin(self) -> None:
        pass

    def layer_known(self, digest: str, size: int) -> None:
        self._sizes[digest] = max(0, size)

    def already_exists(self, digest: str) -> None:
        pass

    def advance(self, digest: str, count: int) -> None:
        self._here += count
        self._drawing.pull_changed(self, over=False)

    def message(self, text: str) -> None:
        self._drawing.message(text)

    def done(self, digest: str) -> None:
        self._drawing.pull_changed(self, over=False)

    def finish(self) -> None:
        self._drawing.pull_changed(self, over=True)

    def text(self) -> str:
        from pod.cli.human import size

        here, whole = size(self._here), size(sum(self._sizes.values()))
        return f"{visible(self._what) or 'copying'}  {here} of {whole}"


def _sober(text: str) -> str:
    """What a command wrote, without what would drive the terminal; colours are lost as well."""
    import re  # heavy

    plain = re.sub(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])", "", text)
    return "".join(letter if letter >= " " or letter in "\n\t" else "" for letter in plain)
