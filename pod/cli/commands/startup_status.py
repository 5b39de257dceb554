"""`pod startup status`: tell what starts containers after a reboot."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def show_startup(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import startup

    found = startup.status()
    for installed in found:
        print(installed)
    if not found:
        print("nothing starts containers after a reboot")
    return 0 if found else 1


COMMAND = Command(
    show_startup,
    description="Tells what `pod startup install` has set up. The exit status is 1 when nothing is.",
    examples=("pod startup status",),
)
