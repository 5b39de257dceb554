"""`pod manifest remove`: take an image out of a list."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def remove_from_list(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.manifest import remove

    name, member = arguments.words
    print(remove(engine, name, member).id.partition(":")[2])


COMMAND = Command(
    remove_from_list,
    "LIST DIGEST",
    description=(
        "Takes an entry out of a list and prints the list's id. It is named by its digest, by the local image that it "
        "is, or by the title of an artifact."
    ),
    minimum=2,
    maximum=2,
    completes=("list", "image"),
    examples=(
        "pod manifest remove app sha256:e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f",
    ),
)
