"""`pod artifact add`: make an artifact of files."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def add_files(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.artifacts import add
    from pod.image.lists import parse_annotations

    name, *paths = arguments.words
    record = add(
        engine,
        name,
        paths,
        artifact_type=arguments.text("type") or "",
        file_type=arguments.text("file_type") or "",
        annotations=parse_annotations(arguments.texts("annotation"), "--annotation"),
        append=arguments.flag("append"),
        replace=arguments.flag("replace"),
    )
    print(record.digest.partition(":")[2])


COMMAND = Command(
    add_files,
    "[OPTIONS] ARTIFACT FILE [FILE...]",
    description=(
        "Makes an artifact of files and prints its digest. An artifact is kept in registries as images are; `pod "
        "artifact push` brings it there, and `pod artifact extract` gives the files back."
    ),
    options=(
        Option(("--annotation",), "list", "Give the files this annotation", metavar="KEY=VALUE"),
        Option(("-a", "--append"), "flag", "Add the files to an artifact that is here"),
        Option(
            ("--file-type",),
            "text",
            "Media type of the files, instead of what they look like",
            metavar="TYPE",
        ),
        Option(("-r", "--replace"), "flag", "Replace an artifact that has the name"),
        Option(("--type",), "text", "Type of the artifact", metavar="TYPE"),
    ),
    minimum=2,
    maximum=None,
    completes=("artifact", "file"),
    examples=(
        "pod artifact add registry.example.com/team/model:1 weights.bin",
        "pod artifact add --append --annotation lang=en localhost/docs guide.pdf",
    ),
)
