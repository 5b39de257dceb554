"""`pod pod rm`: remove pods with all of their containers."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.cli.declare import Command, Option
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def remove_pods(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.report import report
    from pod.engine import pod_remove
    from pod.state import pods as rows

    force = arguments.flag("force")
    ignores = force or arguments.flag("ignore")
    timeout = arguments.number("time")
    if timeout is not None and not force:
        from pod.base.errors import UsageError

        raise UsageError("--time needs --force: only a running container has to be stopped")
    status = 0
    for name in pods.chosen(arguments, engine):
        try:
            pod = rows.find(engine.database, name)
        except rows.NoSuchPod as error:
            if not ignores:
                report(error)
                status = status or pods.NOT_THERE
            continue
        try:
            pod_remove.remove(engine, pod, force=force, timeout_seconds=timeout)
        except PodError as error:
            status = report(error)
        else:
            print(pod.id)
    return status


COMMAND = Command(
    remove_pods,
    "[OPTIONS] POD [POD...]",
    description=(
        "Removes pods, with their containers and the volumes of those that have no name. One in which something runs "
        "is removed with --force only."
    ),
    options=(
        pods.all_option("Remove all pods"),
        Option(
            ("-f", "--force"),
            "flag",
            "Stop what runs in them; say nothing about one that does not exist",
        ),
        pods.IGNORE,
        pods.LATEST,
        pods.ID_FILES,
        pods.TIME,
    ),
    maximum=None,
    completes=("pod",),
    examples=("pod pod rm shop", "pod pod rm --force --all"),
)
