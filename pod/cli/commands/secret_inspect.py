"""`pod secret inspect`: everything about secrets."""

from __future__ import annotations

from pod.cli import secrets
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def inspect_secrets(arguments: Arguments, engine: Engine) -> int:
    return secrets.show_inspected(arguments, engine, "secret")


COMMAND = Command(
    inspect_secrets,
    "[OPTIONS] SECRET [SECRET...]",
    description=(
        "Shows everything about secrets as a JSON array, or by a Go template; their content only with --showsecret."
    ),
    options=(
        Option(
            ("-f", "--format"), "text", "Show them by a Go template, or as JSON", metavar="FORMAT"
        ),
        Option(("--pretty",), "flag", "Show them as text for people"),
        Option(("--showsecret",), "flag", "Show the content, too"),
    ),
    minimum=1,
    maximum=None,
    completes=("secret",),
    examples=("pod secret inspect db-password", "pod secret inspect --pretty db-password"),
)
