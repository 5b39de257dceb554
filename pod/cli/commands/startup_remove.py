"""`pod startup remove`: undo `pod startup install`."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def remove_startup(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import startup

    for method in startup.remove():
        print(f"{method.what} is removed")


COMMAND = Command(
    remove_startup,
    description="Undoes `pod startup install`: no containers start by themselves any more. Lingering is left on.",
    examples=("pod startup remove",),
)
