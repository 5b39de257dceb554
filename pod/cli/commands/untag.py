"""`pod untag`: take names away from an image."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def untag_image(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import tag

    tag.untag(engine, arguments.words[0], arguments.words[1:])


COMMAND = Command(
    untag_image,
    "IMAGE [NAME...]",
    description=(
        "Takes names away from an image, or all of them when none is given. The image itself stays, if need be "
        "without a name."
    ),
    minimum=1,
    maximum=None,
    completes=("image",),
    examples=("pod untag nginx", "pod untag 4e595472cd1d registry.example.com/team/web:1.2"),
)
