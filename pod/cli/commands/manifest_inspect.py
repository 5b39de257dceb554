"""`pod manifest inspect`: show a list of images."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def inspect_list(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.output import show_document
    from pod.engine.manifest import inspect

    document = inspect(engine, arguments.words[0], manifest.registry_options(arguments))
    show_document(document)


COMMAND = Command(
    inspect_list,
    "[OPTIONS] LIST",
    description=(
        "Shows a list of images, or the manifest of an image: the local one of this name, or else the one in the "
        "registry; docker://NAME looks there only."
    ),
    options=(
        Option(
            ("-v", "--verbose"),
            "flag",
            refused="one document is shown; `pod manifest inspect LIST@DIGEST` shows that of an image",
        ),
        *manifest.REGISTRY_OPTIONS,
    ),
    minimum=1,
    maximum=1,
    completes=("list",),
    examples=(
        "pod manifest inspect app",
        "pod manifest inspect docker://registry.example.com/team/app:1.2",
    ),
)
