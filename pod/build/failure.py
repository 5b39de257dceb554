"""How a step fails."""

from __future__ import annotations

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
        lines = f"{step.first_line}-{step.last_line}"
        if step.first_line == step.last_line:
            lines = str(step.first_line)
        super().__init__(f"{step.file}:{lines}: the command '{_short(command)}' {ended}")
        self.status = status
        self.exit_status = status


def _short(command: str) -> str:
    first, _, rest = command.strip().partition("\n")
    return f"{first} ..." if rest else first
