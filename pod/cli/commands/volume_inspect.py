"""`pod volume inspect`: everything about volumes."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def inspect_volumes(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.output import show_documents
    from pod.cli.several import for_each
    from pod.engine.inspect_volume import document

    names = arguments.words
    if arguments.flag("all"):
        if names:
            raise UsageError(f"--all excludes a name, '{names[0]}'")
        from pod.state import volumes

        names = [volume.name for volume in volumes.all_of(engine.database)]
    elif not names:
        raise UsageError(
            f"`{arguments.spelling}` needs the name of a volume, or --all",
            hint=f"{arguments.spelling} --help",
        )
    documents: list[dict[str, Any]] = []

    def find(name: str) -> None:
        documents.append(document(engine, name))

    status = for_each(names, find)
    if documents or not arguments.text("format"):
        show_documents(documents, arguments.text("format"))
    return status


COMMAND = Command(
    inspect_volumes,
    "[OPTIONS] [VOLUME...]",
    description="Shows everything about volumes as a JSON array, or by a Go template.",
    options=(
        Option(("-a", "--all"), "flag", "Show all volumes"),
        Option(
            ("-f", "--format"), "text", "Show them by a Go template, or as JSON", metavar="FORMAT"
        ),
    ),
    maximum=None,
    completes=("volume",),
    examples=("pod volume inspect data", "pod volume inspect --format '{{.Mountpoint}}' data"),
)
