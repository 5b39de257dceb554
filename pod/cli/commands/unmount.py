"""`pod unmount`: the counterpart of `pod mount`."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import select
from pod.cli.several import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

FORCE = Option(("-f", "--force"), "flag", "Unmount also what is in use")


def unmount_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import mount

    words = list(arguments.words)
    if sum((bool(words), arguments.flag("all"), arguments.flag("latest"))) > 1:
        raise UsageError("names, --all and --latest exclude one another")
    if arguments.flag("latest"):
        words = [select.latest(engine)]
    elif arguments.flag("all"):
        words = [it.id for it in mount.mounted(engine)]
    elif not words:
        raise select.nothing(arguments)
    force = arguments.flag("force")
    return for_each(words, lambda name: mount.unmount(engine, name, force=force))


COMMAND = Command(
    unmount_containers,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description="Unmounts the file systems of containers that `pod mount` has mounted, and prints their names.",
    options=(
        select.all_option("Unmount all that are mounted here"),
        FORCE,
        select.LATEST,
    ),
    maximum=None,
    completes=("container",),
    examples=("pod unshare sh -c 'ls $(pod mount web); pod unmount web'",),
)
