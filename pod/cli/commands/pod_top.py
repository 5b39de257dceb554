"""`pod pod top`: show the processes of a pod."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def show_processes(arguments: Arguments, engine: Engine) -> None:
    from pod.base.log import visible
    from pod.cli.output import align, write
    from pod.engine import pod_members, top
    from pod.state import pods as rows

    words = list(arguments.words)
    if arguments.flag("latest"):
        pod = rows.latest(engine.database)
    elif words:
        pod = rows.find(engine.database, words.pop(0))
    else:
        raise UsageError(
            f"`{arguments.spelling}` needs the name or id of a pod, or --latest",
            hint=f"{arguments.spelling} --help",
        )
    headings, lines = pod_members.processes(engine, pod, top.parse_descriptors(words))
    write(align([headings, *([visible(cell) for cell in line] for line in lines)]))


COMMAND = Command(
    show_processes,
    "[OPTIONS] POD [DESCRIPTOR...]",
    description=(
        "Shows the processes of the running containers of a pod. Descriptors choose the columns, as those of `pod top`."
    ),
    options=(pods.LATEST,),
    interspersed=False,
    maximum=None,
    completes=("pod", ""),
    examples=("pod pod top shop", "pod pod top shop pid huser args"),
)
