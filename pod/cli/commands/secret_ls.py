"""`pod secret ls`: list secrets."""

from __future__ import annotations

from pod.cli import secrets
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def list_secrets(arguments: Arguments, engine: Engine) -> None:
    secrets.show_list(
        arguments, engine, "secret", ("ID", "Name", "Driver", "CreatedAt", "UpdatedAt")
    )


COMMAND = Command(
    list_secrets,
    "[OPTIONS]",
    description="Lists secrets by name, without their content.",
    options=(
        secrets.FILTER,
        secrets.FORMAT,
        Option(("-n", "--noheading"), "flag", "Show no headings"),
        secrets.QUIET,
    ),
    examples=("pod secret ls", "pod secret ls --filter name=db --format '{{.Name}}'"),
)
