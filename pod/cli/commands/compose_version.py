"""`pod compose version`: show the version of compose, which is that of pod."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def show_version(arguments: Arguments, engine: Engine) -> None:
    from pod.base.version import VERSION

    if arguments.flag("short"):
        print(VERSION)
    elif arguments.text("format") == "json":
        print(f'{{"version":"{VERSION}"}}')
    else:
        print(f"pod compose version {VERSION}")


COMMAND = Command(
    show_version,
    "[OPTIONS]",
    description="Compose is a part of pod and has its version.",
    options=(
        Option(("-f", "--format"), "text", "Language of the output",
               metavar="FORMAT", choices=("pretty", "json"), default="pretty"),
        Option(("--short",), "flag", "Show the number only"),
    ),
    examples=("pod compose version --short",),
)  # fmt: skip
