"""`pod image diff`: what an image has changed."""

from __future__ import annotations

from pod.cli.commands import diff
from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def diff_images(arguments: Arguments, engine: Engine) -> None:
    diff.show(arguments, engine, "image")


COMMAND = Command(
    diff_images,
    "[OPTIONS] IMAGE [CONTAINER|IMAGE]",
    description=(
        "Lists what the topmost layer of an image has added (A), changed (C) and deleted (D), or how the image differs "
        "from another one or from a container."
    ),
    options=(diff.FORMAT,),
    minimum=1,
    maximum=2,
    completes=("image",),
    examples=("pod image diff nginx", "pod image diff nginx:1.27 nginx:1.26"),
)
