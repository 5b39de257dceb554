"""`pod manifest annotate`: change what a list says about an image."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def annotate_list(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.images import PullOptions
    from pod.engine.manifest import annotate
    from pod.image.lists import Changes, parse_annotations

    name, member = (*arguments.words, "")[:2]
    about_list = arguments.flag("index")
    subject = arguments.text("subject") or ""
    if not member and not (about_list or subject):
        raise UsageError(
            f"`{arguments.spelling}` needs an image of the list, or --index for the list itself",
            hint=f"{arguments.spelling} --help",
        )
    changes = manifest.changes(arguments, annotations=not about_list)
    if not member and changes != Changes():
        raise UsageError(
            "what is said about a platform is about an image of the list, which is not named"
        )
    given = parse_annotations(arguments.texts("annotation"), "--annotation") if about_list else {}
    record = annotate(
        engine, name, member, changes, PullOptions(), index_annotations=given, subject=subject
    )
    print(record.id.partition(":")[2])


COMMAND = Command(
    annotate_list,
    "[OPTIONS] LIST [IMAGE]",
    description=(
        "Changes what a list says about one of its images, and prints the list's id. IMAGE is a digest in the list, a "
        "local image, or the title of an artifact. With --index, annotations are those of the list itself."
    ),
    options=(
        *manifest.ENTRY_OPTIONS,
        Option(("--index",), "flag", "Annotate the list itself"),
        Option(
            ("--subject",),
            "text",
            "Say that the list is about this image",
            metavar="IMAGE",
            completes="image",
        ),
    ),
    minimum=1,
    maximum=2,
    completes=("list", "image"),
    examples=(
        "pod manifest annotate --arch arm64 --variant v8 app app-arm64",
        "pod manifest annotate --index --annotation version=1.2 app",
    ),
)
