"""`pod top`: show the processes of a container."""

from __future__ import annotations

from pod.cli.declare import Command
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def show_processes(arguments: Arguments, engine: Engine) -> None:
    from pod.base.log import visible
    from pod.cli.output import align, write
    from pod.engine import top

    words = list(arguments.words)
    if arguments.flag("latest"):
        name = select.latest(engine)
    elif words:
        name = words.pop(0)
    else:
        raise select.nothing(arguments)
    headings, rows = top.processes(engine, name, top.parse_descriptors(words))
    write(align([headings, *([visible(cell) for cell in row] for row in rows)]))


COMMAND = Command(
    show_processes,
    "[OPTIONS] CONTAINER [DESCRIPTOR...]",
    description=(
        "Shows the processes of a running container. Descriptors choose the columns: args, capamb, capbnd, capeff, "
        "capinh, capprm, cgroup, comm, etime, group, groups, hgroup, hgroups, hpid, huser, label, nice, pcpu, pgid, "
        "pid, ppid, rgroup, rss, ruser, seccomp, state, stime, time, tty, user, vsz."
    ),
    options=(select.LATEST,),
    interspersed=False,
    maximum=None,
    completes=("running", ""),
    examples=("pod top web", "pod top web pid huser seccomp args"),
)
