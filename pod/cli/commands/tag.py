"""`pod tag`: give an image more names."""

from __future__ import annotations

from pod.cli.declare import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def tag_image(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import tag

    tag.tag(engine, arguments.words[0], arguments.words[1:])


COMMAND = Command(
    tag_image,
    "IMAGE NAME [NAME...]",
    description=(
        "Gives an image more names. A name without a registry is one of localhost's, a name without a tag gets "
        "`latest`. A name that another image has passes over to this one."
    ),
    minimum=2,
    maximum=None,
    completes=("image",),
    examples=("pod tag nginx web:stable", "pod tag 4e595472cd1d registry.example.com/team/web:1.2"),
)
