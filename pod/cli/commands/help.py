"""`pod help`: the help of a command or of pod."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments


def show_help(arguments: Arguments, engine: None) -> None:
    from pod.cli.help import print_help

    print_help(arguments.words)


COMMAND = Command(
    show_help,
    "[COMMAND...]",
    maximum=2,
    completes=("command",),
    examples=("pod help run", "pod help volume ls"),
    needs_engine=False,
)
