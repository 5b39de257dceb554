"""`pod config ls`: list configs."""

from __future__ import annotations

from pod.cli import secrets
from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def list_configs(arguments: Arguments, engine: Engine) -> None:
    secrets.show_list(arguments, engine, "config", ("ID", "Name", "CreatedAt", "UpdatedAt"))


COMMAND = Command(
    list_configs,
    "[OPTIONS]",
    description="Lists configs by name.",
    options=(secrets.FILTER, secrets.FORMAT, secrets.QUIET),
    examples=("pod config ls",),
)
