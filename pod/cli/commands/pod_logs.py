"""`pod pod logs`: show what the containers of a pod have written."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.cli.commands.logs import COMMAND as LOGS
from pod.cli.commands.logs import read_selection, show_of
from pod.cli.declare import Command, Option
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_SHARED = ("--color", "--follow", "--names", "--since", "--tail", "--timestamps", "--until")


def show_logs(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import pod_members

    selection = read_selection(arguments)
    pod = pods.one(arguments, engine)
    found = [it for it in pod_members.of(engine, pod) if not it.config.is_infra]
    wanted = arguments.text("container")
    if wanted:
        found = [it for it in found if it.name == wanted or it.id.startswith(wanted)]
        if not found:
            raise PodError(f"pod '{pod.name}' has no container '{wanted}'")
    show_of(arguments, engine, found, selection)


COMMAND = Command(
    show_logs,
    "[OPTIONS] POD",
    description="Shows what the containers of a pod have written, each line with the container it is from.",
    options=(
        Option(
            ("-c", "--container"),
            "text",
            "Only this container of the pod",
            metavar="CONTAINER",
            completes="container",
        ),
        pods.LATEST,
        *(option for option in LOGS.options if option.flags[-1] in _SHARED),
    ),
    maximum=1,
    completes=("pod",),
    examples=("pod pod logs --follow shop", "pod pod logs --container web --since 10m shop"),
)
