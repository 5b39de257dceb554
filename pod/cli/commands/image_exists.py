"""`pod image exists`: tell by the exit status whether an image is here."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def image_exists(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import images

    return 0 if images.find_any(engine, arguments.words[0]) is not None else 1


COMMAND = Command(
    image_exists,
    "IMAGE",
    description="Prints nothing. The exit status is 0 when the image is here, and 1 when it is not.",
    minimum=1,
    maximum=1,
    completes=("image",),
    examples=("pod image exists nginx || pod pull nginx",),
)
