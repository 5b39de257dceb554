"""What a build tells whoever watches: `Progress`, which the command line draws, and `Silence`.

A build calls it from one thread, in any order of steps, since stages run in parallel. Nothing of it may raise.
"""

from __future__ import annotations

from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from pod.image.progress import Progress as PullProgress
else:
    Protocol = object


class Step(Record):
    """One instruction of one stage for one platform, as it is shown."""

    number: int
    """From 1, in the order of the Dockerfile; together with `platform` it is unlike that of any other step."""
    total: int
    stage: str
    """ "builder", or the number of a stage without name; "" where there is only one."""
    text: str
    """The instruction as one line, as it was written: "RUN make -j4"."""
    platform: str = ""
    """ "linux/arm64", or "" where only one is built."""
    file: str = ""
    first_line: int = 0
    last_line: int = 0
    lines: tuple[str, ...] = ()
    """The lines first_line to last_line of the Dockerfile, for errors."""


class Progress(Protocol):
    """What a build says while it works."""

    def message(self, text: str) -> None:
        """A sentence for the person: a warning, where something came from. No line break in it."""

    def begin(self, steps: Sequence[Step]) -> None:
        """These steps are needed; comes once, or again when ONBUILD or another platform adds some."""

    def start(self, step: Step) -> None:
        """The step is looked at now: its cache key is computed, then it is `cached` or it works."""

    def cached(self, step: Step, why: str = "") -> None:
        """Its result was there. `why` is for --explain."""

    def working(self, step: Step, why: str = "") -> None:
        """It was not cached, and is executed. `why` names the input that changed."""

    def output(self, step: Step, stream: int, data: bytes) -> None:
        """What its command wrote: stream 1 or 2, any bytes, lines in pieces."""

    def done(self, step: Step, image_id: str = "") -> None:
        """It succeeded. Not called for cached ones."""

    def failed(self, step: Step, status: int | None, reason: str) -> None:
        """It failed: `status` is that of its command, if it had one. The whole of its output is shown."""

    def cancelled(self, step: Step) -> None:
        """It was stopped, since another one failed."""

    def transfer(self, what: str = "") -> PullProgress:
        """Whom the pull of an image of this name tells how far it is; a new one for each image."""

    def tick(self) -> None:
        """Time has passed: to be called some times a second while commands run, so that their times are shown."""

    def exporting(self, what: str) -> None:
        """All steps are done; the result goes there: a name, a path, "image" for one without a name."""

    def finish(self) -> None:
        """Nothing follows, whether it went well or not. What was drawn stays as it is."""


class Silence:
    """Progress that nobody watches."""

    def message(self, text: str) -> None:
        pass

    def begin(self, steps: Sequence[Step]) -> None:
        pass

    def start(self, step: Step) -> None:
        pass

    def cached(self, step: Step, why: str = "") -> None:
        pass

    def working(self, step: Step, why: str = "") -> None:
        pass

    def output(self, step: Step, stream: int, data: bytes) -> None:
        pass

    def done(self, step: Step, image_id: str = "") -> None:
        pass

    def failed(self, step: Step, status: int | None, reason: str) -> None:
        pass

    def cancelled(self, step: Step) -> None:
        pass

    def transfer(self, what: str = "") -> PullProgress:
        from pod.image.progress import Silence as SilentPull

        return SilentPull()

    def tick(self) -> None:
        pass

    def exporting(self, what: str) -> None:
        pass

    def finish(self) -> None:
        pass
