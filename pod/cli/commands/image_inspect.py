"""`pod image inspect`: everything about images."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options.image import platform_in_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def inspect_images(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.output import show_documents
    from pod.cli.several import for_each
    from pod.engine.inspect_image import document

    documents: list[dict[str, Any]] = []

    def find(name: str) -> None:
        documents.append(document(engine, name, platform=platform_in_list(arguments)))

    status = for_each(arguments.words, find)
    if documents or not arguments.text("format"):
        show_documents(documents, arguments.text("format"))
    return status


COMMAND = Command(
    inspect_images,
    "[OPTIONS] IMAGE [IMAGE...]",
    description="Shows everything about images as a JSON array, or by a Go template.",
    options=(
        Option(
            ("--platform",),
            "text",
            "Show the image for this platform, of a list of images",
            metavar="OS/ARCH[/VARIANT]",
        ),
        Option(
            ("-f", "--format"), "text", "Show them by a Go template, or as JSON", metavar="FORMAT"
        ),
    ),
    minimum=1,
    maximum=None,
    completes=("image",),
    examples=(
        "pod image inspect nginx",
        "pod image inspect --format '{{.Config.ExposedPorts}}' nginx",
    ),
)
