"""`pod image unmount`: the counterpart of `pod image mount`."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.commands import unmount as unmount_command
from pod.cli.declare import Command, Option
from pod.cli.several import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def unmount_images(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import mount

    words = list(arguments.words)
    if arguments.flag("all"):
        if words:
            raise UsageError("names and --all exclude each other")
        words = [it.id for it in mount.mounted_images(engine)]
    elif not words:
        raise UsageError(
            f"`{arguments.spelling}` needs the name or id of an image, or --all",
            hint=f"{arguments.spelling} --help",
        )
    force = arguments.flag("force")
    return for_each(words, lambda name: mount.unmount_image(engine, name, force=force))


COMMAND = Command(
    unmount_images,
    "[OPTIONS] IMAGE [IMAGE...]",
    description="Unmounts images that `pod image mount` has mounted, and prints their names.",
    options=(
        Option(("-a", "--all"), "flag", "Unmount all that are mounted here"),
        unmount_command.FORCE,
    ),
    maximum=None,
    completes=("image",),
    examples=("pod unshare sh -c 'ls $(pod image mount nginx); pod image unmount nginx'",),
)
