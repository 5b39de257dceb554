"""`pod container exists`: tell by the exit status whether a container exists."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_NOT_THERE = 1


def tell_whether_it_exists(arguments: Arguments, engine: Engine) -> int:
    from pod.state import containers

    try:
        containers.find(engine.database, arguments.words[0])
    except containers.NoSuchContainer:
        return _NOT_THERE
    return 0


COMMAND = Command(
    tell_whether_it_exists,
    "CONTAINER",
    description="Ends with exit status 0 when the container exists, with 1 when it does not, and prints nothing.",
    options=(
        Option(
            ("--external",),
            "flag",
            "Look for containers of other programs, too, of which pod's store has none",
        ),
    ),
    minimum=1,
    maximum=1,
    completes=("container",),
    examples=("pod container exists web || pod create --name web nginx",),
)
