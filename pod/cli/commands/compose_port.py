"""`pod compose port`: show where a port of a service is published."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def show_port(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.port import published
    from pod.state import containers

    name, project = compose.load_if_there(arguments, engine)
    service, port = arguments.words
    member = compose.one_member(engine, name, project, service, arguments.number("index"))
    protocol = arguments.text("protocol") or "tcp"
    for container in containers.by_ids(engine.database, [member.id]):
        for found in published(container, port if "/" in port else f"{port}/{protocol}"):
            print(found.host)


COMMAND = Command(
    show_port,
    "[OPTIONS] SERVICE PORT",
    description="Shows at which address and port of this machine a port of a service is reached.",
    options=(
        Option(("--index",), "number", "Number of the container", metavar="N", lowest=1),
        Option(("--protocol",), "text", "Protocol of the port",
               metavar="PROTOCOL", choices=("tcp", "udp"), default="tcp"),
    ),
    minimum=2,
    maximum=2,
    completes=("service", ""),
    examples=("pod compose port web 80",),
)  # fmt: skip
