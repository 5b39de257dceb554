"""`pod network expose`: reach containers by name, http://NAME.pod.localhost."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_PORT = 8080


def expose(arguments: Arguments, engine: Engine) -> None:
    from pod.base.units import parse_integer
    from pod.engine import network_expose

    port = _PORT
    if arguments.given("port"):
        port = parse_integer(arguments.text("port") or "", "--port", 0, 65535)
    network_expose.serve(engine, port, lambda address: print(address, flush=True))


COMMAND = Command(
    expose,
    "[OPTIONS]",
    description=(
        "Forwards http://NAME.pod.localhost to the web server of the container or pod NAME, at the port that it "
        "publishes, until it is interrupted. PORT.NAME.pod.localhost is another port of it. Only programs of this "
        "machine can connect."
    ),
    options=(
        Option(("-p", "--port"), "text", f"Port of the host, {_PORT} unless given", metavar="PORT"),
    ),
    maximum=0,
    examples=("pod network expose", "pod network expose --port 80"),
)
