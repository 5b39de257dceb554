"""`pod compose top`: show the processes of a project."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def show_processes(arguments: Arguments, engine: Engine) -> None:
    from pod.base.log import visible
    from pod.cli.output import align, write
    from pod.engine import top

    _, _, found = compose.chosen_members(arguments, engine)
    for member in found:
        if member.state != "running":
            continue
        headings, rows = top.processes(engine, member.name, top.parse_descriptors([]))
        cells = [[visible(cell) for cell in row] for row in rows]
        write(f"{member.name}\n{align([headings, *cells])}\n")


COMMAND = Command(
    show_processes,
    "[SERVICE...]",
    description="Shows the processes of the running containers of the services.",
    maximum=None,
    completes=("service",),
    examples=("pod compose top", "pod compose top web"),
)
