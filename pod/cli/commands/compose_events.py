"""`pod compose events`: show what happens to the containers of a project."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def show_events(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import identity

    name, project = compose.load_if_there(arguments, engine)
    words = compose.given_words(arguments, "since", "until")
    words += ["--filter", f"label={identity.PROJECT}={name}", "--filter", "type=container"]
    for service in arguments.words:
        if project is not None:
            project.service(service)
        words += ["--filter", f"label={identity.SERVICE}={service}"]
    if arguments.flag("json"):
        words += ["--format", "json"]
    return compose.call("events", engine, words)


COMMAND = Command(
    show_events,
    "[OPTIONS] [SERVICE]",
    description="Shows what happens to the containers of a project, or of one service, until it is interrupted.",
    options=(
        Option(("--json",), "flag", "Show each event as a line of JSON"),
        Option(("--since",), "text", "Show events from this time on", metavar="TIME"),
        Option(("--until",), "text", "Show events up to this time, and end then", metavar="TIME"),
    ),
    maximum=1,
    completes=("service",),
    examples=("pod compose events", "pod compose events --json --since 1h web"),
)  # fmt: skip
