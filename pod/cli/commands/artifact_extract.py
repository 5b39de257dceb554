"""`pod artifact extract`: write the files of an artifact."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def extract_files(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.artifacts import extract
    from pod.image.artifact import check_digest

    name, path = arguments.words
    digest, title = arguments.text("digest") or "", arguments.text("title") or ""
    if digest and title:
        raise UsageError("--digest excludes --title")
    extract(engine, name, path, digest=check_digest(digest) if digest else "", title=title)


COMMAND = Command(
    extract_files,
    "[OPTIONS] ARTIFACT PATH",
    description=(
        "Writes the files of an artifact into the directory PATH, under the names that they have. When PATH is no "
        "directory, it is the file for the only one, or for the one that is chosen."
    ),
    options=(
        Option(("--digest",), "text", "Write the file with this digest only", metavar="DIGEST"),
        Option(("--title",), "text", "Write the file with this name only", metavar="NAME"),
    ),
    minimum=2,
    maximum=2,
    completes=("artifact", "file"),
    examples=(
        "pod artifact extract localhost/docs /tmp/docs",
        "pod artifact extract --title guide.pdf localhost/docs guide.pdf",
    ),
)
