"""`pod compose attach`: attach to a running container of a service."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def attach(arguments: Arguments, engine: Engine) -> int:
    name, project = compose.load_if_there(arguments, engine)
    service = arguments.words[0]
    member = compose.one_member(engine, name, project, service, arguments.number("index"))
    if compose.is_dry_run(arguments):
        return compose.show_lines([f"{service}: attach to {member.name}"])
    words = compose.given_words(arguments, "detach-keys", "no-stdin", "sig-proxy")
    return compose.call("attach", engine, [*words, member.name])


COMMAND = Command(
    attach,
    "[OPTIONS] SERVICE",
    description="Shows the output of a running container of a service and passes input on, as `pod attach` does.",
    options=(
        Option(("--detach-keys",), "text", "Keys that leave the container", metavar="KEYS"),
        Option(("--no-stdin",), "flag", "Do not pass standard input on"),
        Option(("--sig-proxy",), "flag", "Pass signals on", default=True),
        Option(("--index",), "number", "Number of the container", metavar="N", lowest=1),
        compose.DRY_RUN,
    ),
    minimum=1,
    maximum=1,
    completes=("service",),
    examples=("pod compose attach web",),
)  # fmt: skip
