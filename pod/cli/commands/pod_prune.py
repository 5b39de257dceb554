"""`pod pod prune`: remove pods whose containers have ended."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def prune_pods(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.ask import confirmed
    from pod.engine import pod_remove

    if not arguments.flag("force") and not confirmed(
        "This will remove all stopped pods with their containers."
    ):
        return 0
    for pod in pod_remove.prune(engine):
        print(pod.id)
    return 0


COMMAND = Command(
    prune_pods,
    description=(
        "Removes the pods whose containers have ended, with these containers, after asking, and prints their ids."
    ),
    options=(Option(("-f", "--force"), "flag", "Do not ask"),),
    examples=("pod pod prune --force",),
)
