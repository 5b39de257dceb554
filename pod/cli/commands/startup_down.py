"""`pod startup down`: stop all containers because the machine goes down."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def stop_for_shutdown(arguments: Arguments, engine: Engine) -> int:
    from pod.base import log
    from pod.engine import startup

    failures = startup.down(engine)
    for failure in failures:
        log.error(failure)
    return 125 if failures else 0


COMMAND = Command(
    stop_for_shutdown,
    description=(
        "Stops all containers, as the machine goes down: unlike after `pod stop`, those with --restart=unless-stopped "
        "start again. The unit of `pod startup install` does it."
    ),
    examples=("pod startup down",),
)
