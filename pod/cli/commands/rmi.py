"""`pod rmi`: remove images."""

from __future__ import annotations

from pod.base import exits
from pod.base.errors import PodError, UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

NOT_THERE = 1
IN_USE = 2


def remove_images(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import image_remove
    from storage.images import ImageNotFound

    statuses = set()
    force, everything = arguments.flag("force"), arguments.flag("all")
    names = _wanted(arguments, engine)
    for name in names:
        try:
            removed = image_remove.remove(engine, name, force=force, all_names=everything)
        except (PodError, OSError) as error:
            from pod.cli.report import report

            if isinstance(error, ImageNotFound):
                if arguments.flag("ignore") or force or everything:
                    continue
                report(error)
                statuses.add(NOT_THERE)
            else:
                statuses.add(report(error))
            continue
        for untagged in removed.untagged:
            print(f"Untagged: {untagged}")
        if removed.deleted:
            print(f"Deleted: {removed.deleted.partition(':')[2]}")
    image_remove.collect(engine)
    # podman-rmi(1), "Exit Status": the most serious one.
    return next((status for status in (exits.FAILED, IN_USE, NOT_THERE) if status in statuses), 0)


def _wanted(arguments: Arguments, engine: Engine) -> list[str]:
    if not arguments.flag("all"):
        if not arguments.words:
            raise UsageError(
                f"`{arguments.spelling}` needs the name or id of an image, or --all",
                hint=f"{arguments.spelling} --help",
            )
        return arguments.words
    if arguments.words:
        raise UsageError(f"--all excludes a name, '{arguments.words[0]}'")
    images = engine.store.images
    unreadable = [digest for digest, _ in images.incomplete()]
    return list(dict.fromkeys([*(image.id for image in images.list_all()), *unreadable]))


COMMAND = Command(
    remove_images,
    "[OPTIONS] [IMAGE...]",
    description=(
        "Takes names of images away. With its last name, or when it is given by its id, an image is removed, unless "
        "a container uses it. The disk space follows behind the command's back."
    ),
    options=(
        Option(
            ("--platform",),
            "text",
            refused="an image goes as a whole; `pod manifest remove` takes one out of a list",
        ),
        Option(("-a", "--all"), "flag", "Remove all images"),
        Option(
            ("-f", "--force"),
            "flag",
            "Remove all names of an image given by its id, and the containers that use it; "
            "say nothing about images that do not exist",
        ),
        Option(("-i", "--ignore"), "flag", "Say nothing about images that do not exist"),
        Option(("--no-prune",), "flag", "Keep parents without a name; images of pod have none"),
    ),
    maximum=None,
    completes=("image",),
    examples=("pod rmi nginx", "pod rmi --force 4e595472cd1d", "pod rmi --all"),
)
