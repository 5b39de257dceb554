"""`pod pod inspect`: show everything about pods."""

from __future__ import annotations

from pod.cli.commands.inspect import FORMAT
from pod.cli.declare import Command
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def inspect_pods(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.output import show_documents
    from pod.cli.several import for_each
    from pod.engine.inspect_pod import document

    found = []

    def do(name: str) -> None:
        found.append(document(engine, name))

    status = for_each(pods.chosen(arguments, engine), do)
    if found or not arguments.text("format"):
        show_documents(found, arguments.text("format"))
    return status


COMMAND = Command(
    inspect_pods,
    "[OPTIONS] POD [POD...]",
    description="Shows all that is known about pods as JSON: settings, state, containers.",
    options=(FORMAT, pods.LATEST),
    maximum=None,
    completes=("pod",),
    examples=("pod pod inspect shop", "pod pod inspect --format '{{.State}}' shop"),
)
