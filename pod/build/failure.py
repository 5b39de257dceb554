"""How a step fails."""

from __future__ import annotations

import errno

from pod.base.errors import PodError
from pod.build.dockerfile.errors import quoted_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.build.progress import Step


class StepFailed(PodError):
    """A command of the build ended with another status than 0; `status` is that, 128 and more for a signal."""

    def __init__(self, step: Step, command: str, status: int) -> None:
        ended = (
            f"was ended by signal {status - 128}" if status > 128 else f"ended with status {status}"
        )
        super().__init__(f"{place_of(step)}: the command '{_short(command)}' {ended}")
        self.status = status
        self.exit_status = status


class StepRefused(PodError):
    """The operating system did not let a step do its work: a full disk, most often."""

    def __init__(self, step: Step, error: OSError) -> None:
        where = f" at '{error.filename}'" if isinstance(error.filename, str) else ""
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        super().__init__(
            f"{place_of(step)}: {error.strerror or error}{where}",
            hint="pod system df" if is_full else None,
        )


class StepImpossible(PodError):
    """What went wrong is told by another error, which knows nothing of the Dockerfile."""

    def __init__(self, step: Step, error: PodError) -> None:
        lines = quoted_lines(step.first_line, step.last_line, step.lines)
        super().__init__(f"{place_of(step)}: {error.message}{lines}", hint=error.hint)
        self.exit_status = error.exit_status


def place_of(step: Step) -> str:
    """The lines of an instruction: "Dockerfile:3-4"."""
    if step.first_line == step.last_line:
        return f"{step.file}:{step.first_line}"
    return f"{step.file}:{step.first_line}-{step.last_line}"


def _short(command: str) -> str:
    first, _, rest = command.strip().partition("\n")
    return f"{first} ..." if rest else first
