"""`pod container inspect`: show everything about containers."""

from __future__ import annotations

from pod.cli.commands import inspect
from pod.cli.declare import Command
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def inspect_containers(arguments: Arguments, engine: Engine) -> int:
    return inspect.show(arguments, engine, "container")


COMMAND = Command(
    inspect_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description="Shows all that is known about containers as JSON.",
    options=(inspect.FORMAT, select.LATEST, inspect.SIZE),
    maximum=None,
    completes=("container",),
    examples=("pod container inspect --format '{{.Config.Env}}' web",),
)
