"""`pod manifest exists`: tell by the exit status whether a list of images is here."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def list_exists(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import lists

    try:
        lists.find(engine, arguments.words[0])
    except (lists.ListNotFound, lists.NotAList):
        return 1
    return 0


COMMAND = Command(
    list_exists,
    "LIST",
    description="Prints nothing. The exit status is 0 when the list is here, and 1 when it is not, or is an image.",
    minimum=1,
    maximum=1,
    completes=("list",),
    examples=("pod manifest exists app || pod manifest create app",),
)
