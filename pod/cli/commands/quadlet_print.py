"""`pod quadlet print`: what a quadlet says."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def print_quadlet(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import quadlets

    print(quadlets.text_of(arguments.words[0]), end="")


COMMAND = Command(
    print_quadlet,
    "QUADLET",
    description="Prints the file of a quadlet.",
    minimum=1,
    maximum=1,
    examples=("pod quadlet print web.container",),
)
