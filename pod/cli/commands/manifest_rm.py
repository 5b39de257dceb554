"""`pod manifest rm`: remove lists of images."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.several import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def remove_lists(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import image_remove, lists
    from pod.engine.manifest import remove_list

    def remove(name: str) -> str | None:
        try:
            removed = remove_list(engine, name)
        except lists.ListNotFound:
            if arguments.flag("ignore"):
                return None
            raise
        deleted = [f"Deleted: {removed.deleted.partition(':')[2]}"] if removed.deleted else []
        return "\n".join([*(f"Untagged: {it}" for it in removed.untagged), *deleted])

    status = for_each(arguments.words, remove)
    image_remove.collect(engine)
    return status


COMMAND = Command(
    remove_lists,
    "[OPTIONS] LIST [LIST...]",
    description=(
        "Takes names of lists away. With its last name, or when it is given by its id, a list is removed. Images that "
        "have names of their own stay, and so does what is in registries."
    ),
    options=(Option(("-i", "--ignore"), "flag", "Say nothing about lists that do not exist"),),
    minimum=1,
    maximum=None,
    completes=("list",),
    examples=("pod manifest rm app",),
)
