"""`pod compose logs`: show what the containers of a project have written."""

from __future__ import annotations

from pod.cli.commands import logs
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def show_logs(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.compose_output import show
    from pod.compose import members

    name, project = compose.load_if_there(arguments, engine)
    selection = logs.read_selection(arguments)
    for word in arguments.words:
        if project is not None:
            project.service(word)
    index = arguments.number("index")
    found = [
        member
        for member in members.of_project(engine, name)
        if (not arguments.words or member.service in arguments.words)
        and (index is None or member.number == index)
    ]
    show(
        engine,
        found,
        name,
        selection,
        prefixes=not arguments.flag("no_log_prefix"),
        colors=compose.is_colored(arguments) and not arguments.flag("no_color"),
    )


COMMAND = Command(
    show_logs,
    "[OPTIONS] [SERVICE...]",
    description="Shows what the containers of a project have written, each line behind the name of its container.",
    options=(
        Option(("-f", "--follow"), "flag", "Go on showing what is written, until the containers end"),
        Option(("--index",), "number", "Only containers of this number", metavar="N"),
        Option(("--no-color",), "flag", "Colour no names"),
        Option(("--no-log-prefix",), "flag", "Put no names in front of lines"),
        Option(("--since",), "text", "Show lines from this time on", metavar="TIME"),
        Option(("-n", "--tail"), "text", "Show only the last lines of each container", metavar="N", default="all"),
        Option(("-t", "--timestamps"), "flag", "Put the time in front of lines"),
        Option(("--until",), "text", "Show lines up to this time", metavar="TIME"),
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose logs", "pod compose logs --follow --tail 10 web"),
)  # fmt: skip
