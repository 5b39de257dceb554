"""`pod container diff`: what a container has changed."""

from __future__ import annotations

from pod.cli.commands import diff
from pod.cli.declare import Command
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def diff_containers(arguments: Arguments, engine: Engine) -> None:
    diff.show(arguments, engine, "container")


COMMAND = Command(
    diff_containers,
    "[OPTIONS] CONTAINER [CONTAINER|IMAGE]",
    description=(
        "Lists what a container has added (A), changed (C) and deleted (D) since it was created, or how it differs "
        "from another container or an image."
    ),
    options=(diff.FORMAT, select.LATEST),
    maximum=2,
    completes=("container",),
    examples=("pod container diff web",),
)
