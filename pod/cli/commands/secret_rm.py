"""`pod secret rm`: remove secrets."""

from __future__ import annotations

from pod.cli import secrets
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def remove_secrets(arguments: Arguments, engine: Engine) -> int:
    return secrets.remove(arguments, engine, "secret")


COMMAND = Command(
    remove_secrets,
    "[OPTIONS] [SECRET...]",
    description=(
        "Removes secrets and prints their ids. Containers that were made with them keep their copies."
    ),
    options=(
        Option(("-a", "--all"), "flag", "Remove all secrets"),
        Option(("-i", "--ignore"), "flag", "Say nothing about secrets that do not exist"),
    ),
    maximum=None,
    completes=("secret",),
    examples=("pod secret rm db-password", "pod secret rm --all"),
)
