"""`pod config inspect`: everything about configs."""

from __future__ import annotations

from pod.cli import secrets
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def inspect_configs(arguments: Arguments, engine: Engine) -> int:
    return secrets.show_inspected(arguments, engine, "config")


COMMAND = Command(
    inspect_configs,
    "[OPTIONS] CONFIG [CONFIG...]",
    description=(
        "Shows everything about configs as a JSON array, in which their content is encoded as base64, or by a Go "
        "template."
    ),
    options=(
        Option(
            ("-f", "--format"), "text", "Show them by a Go template, or as JSON", metavar="FORMAT"
        ),
        Option(("--pretty",), "flag", "Show them as text for people"),
    ),
    minimum=1,
    maximum=None,
    completes=("config",),
    examples=("pod config inspect --pretty nginx.conf",),
)
