"""`pod rename`: give a container another name."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def rename_container(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import lookup
    from pod.engine.rename import rename

    name, new_name = arguments.words
    rename(engine, lookup.container(engine, name), new_name)


COMMAND = Command(
    rename_container,
    "CONTAINER NAME",
    description=(
        "Gives a container another name. It may be running; its id, host name, volumes and files stay as they are."
    ),
    minimum=2,
    maximum=2,
    completes=("container", ""),
    examples=("pod rename web web-old",),
)
