"""`pod secret exists`: tell by the exit status whether a secret exists."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def secret_exists(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import secrets
    from pod.state.secrets import NoSuchSecret

    try:
        secrets.store(engine).find(arguments.words[0])
    except NoSuchSecret:
        return 1
    return 0


COMMAND = Command(
    secret_exists,
    "SECRET",
    description="Returns 0 when there is a secret with this name or id, else 1. Prints nothing.",
    minimum=1,
    maximum=1,
    completes=("secret",),
    examples=("pod secret exists db-password && echo yes",),
)
