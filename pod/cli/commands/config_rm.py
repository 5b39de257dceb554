"""`pod config rm`: remove configs."""

from __future__ import annotations

from pod.cli import secrets
from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def remove_configs(arguments: Arguments, engine: Engine) -> int:
    return secrets.remove(arguments, engine, "config")


COMMAND = Command(
    remove_configs,
    "CONFIG [CONFIG...]",
    description="Removes configs and prints their ids.",
    minimum=1,
    maximum=None,
    completes=("config",),
    examples=("pod config rm nginx.conf",),
)
