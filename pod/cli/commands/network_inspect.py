"""`pod network inspect`: everything about networks."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def inspect_networks(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.output import show_documents
    from pod.cli.several import for_each
    from pod.engine.inspect_network import document

    documents: list[dict[str, Any]] = []

    def find(name: str) -> None:
        documents.append(document(engine, name))

    status = for_each(arguments.words, find)
    if documents or not arguments.text("format"):
        show_documents(documents, arguments.text("format"))
    return status


COMMAND = Command(
    inspect_networks,
    "[OPTIONS] NETWORK...",
    description="Shows everything about networks as a JSON array, or by a Go template.",
    options=(
        Option(
            ("-f", "--format"), "text", "Show them by a Go template, or as JSON", metavar="FORMAT"
        ),
        Option(("-v", "--verbose"), "flag", "Does nothing: all is shown", hidden=True),
    ),
    minimum=1,
    maximum=None,
    completes=("network",),
    examples=("pod network inspect backend", "pod network inspect -f '{{.subnets}}' backend"),
)
