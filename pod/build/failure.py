"""How a step fails."""

from __future__ import annotations

import errno

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.build.progress import Step


class StepFailed(PodError):
    """A command of the build ended with another status than 0; `status` is that, 128 and more for a signal."""

    def __init__(self, step: Step, command: str, status: int) -> None:
        ended = (
            f"was ended by signal {status - 128}" if status > 128 else f"ended with status {status}"
        )
        super().__init__(f"{_place(step)}: the command '{_short(command)}' {ended}")
        self.status = status
        self.exit_status = status


class StepRefused(PodError):
    """The operating system did not let a step do its work: a full disk, most often."""

    def __init__(self, step: Step, error: OSError) -> None:
        where = f" at '{error.filename}'" if isinstance(error.filename, str) else ""
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        super().__init__(
            f"{_place(step)}: {error.strerror or error}{where}",
            hint="pod system df" if is_full else None,
        )


def _place(step: Step) -> str:
    if step.first_line == step.last_line:
        return f"{step.file}:{step.first_line}"
    return f"{step.file}:{step.first_line}-{step.last_line}"


def _short(command: str) -> str:
    first, _, rest = command.strip().partition("\n")
    return f"{first} ..." if rest else first
