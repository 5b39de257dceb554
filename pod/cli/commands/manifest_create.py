"""`pod manifest create`: make a list of images."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

ALL = Option(("--all",), "flag", "Add all images of what is a list itself")


def create_list(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.manifest import create
    from pod.image.lists import parse_annotations

    name, *members = arguments.words
    record = create(
        engine,
        name,
        members,
        manifest.registry_options(arguments),
        everything=arguments.flag("all"),
        amend=arguments.flag("amend"),
        annotations=parse_annotations(arguments.texts("annotation"), "--annotation"),
    )
    print(record.id.partition(":")[2])


COMMAND = Command(
    create_list,
    "[OPTIONS] LIST [IMAGE...]",
    description=(
        "Makes a list of images and prints its id. A list has one name for the images of several platforms; `pod "
        "manifest push` brings it to a registry. Images are local ones, or in a registry, where they stay."
    ),
    options=(
        ALL,
        Option(("-a", "--amend"), "flag", "Add to the list when it is here already"),
        Option(("--annotation",), "list", "Give the list this annotation", metavar="KEY=VALUE"),
        *manifest.REGISTRY_OPTIONS,
    ),
    minimum=1,
    maximum=None,
    completes=("list", "image"),
    examples=(
        "pod manifest create registry.example.com/team/app:1.2",
        "pod manifest create app app-amd64 app-arm64",
    ),
)
