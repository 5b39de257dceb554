"""`pod artifact inspect`: show everything about artifacts."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def inspect_artifacts(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.output import show_document
    from pod.cli.several import for_each
    from pod.engine.artifacts import document

    def do(name: str) -> None:
        show_document(document(engine, name), arguments.text("format"))

    return for_each(arguments.words, do)


COMMAND = Command(
    inspect_artifacts,
    "[OPTIONS] ARTIFACT [ARTIFACT...]",
    description="Shows the manifest, the name and the digest of artifacts as JSON.",
    options=(Option(("-f", "--format"), "text", "Show by a Go template", metavar="FORMAT"),),
    minimum=1,
    maximum=None,
    completes=("artifact",),
    examples=(
        "pod artifact inspect localhost/docs",
        "pod artifact inspect --format '{{.Digest}}' localhost/docs",
    ),
)
