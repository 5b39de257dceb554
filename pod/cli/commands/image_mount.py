"""`pod image mount`: the files of images as directories."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.commands import mount as mount_command
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def mount_images(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import mount

    words = list(arguments.words)
    if arguments.flag("all"):
        if words:
            raise UsageError("names and --all exclude each other")
        words = [image.id for image in engine.store.images.list()]
        if not words:
            return 0
    return mount_command.show(
        arguments,
        words,
        lambda name: mount.mount_image(engine, name),
        lambda: mount.mounted_images(engine),
        whole=False,
    )


COMMAND = Command(
    mount_images,
    "[OPTIONS] [IMAGE...]",
    description=(
        "Mounts images, to be read, and prints where, or lists those that are mounted. Only inside of `pod unshare`, "
        "where the owners of these files are yours; what is mounted there is gone when it ends."
    ),
    options=(
        Option(("-a", "--all"), "flag", "Mount all images"),
        mount_command.FORMAT,
    ),
    maximum=None,
    completes=("image",),
    examples=("pod unshare sh -c 'ls -l $(pod image mount nginx)/etc'",),
)
