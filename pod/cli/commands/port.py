"""`pod port`: list the published ports of containers."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def list_ports(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.port import published
    from pod.state import containers

    words = list(arguments.words)
    if arguments.flag("all"):
        if words or arguments.flag("latest"):
            raise UsageError("--all excludes names, ports and --latest")
        _list_all(engine)
        return
    if arguments.flag("latest"):
        name = select.latest(engine)
    elif words:
        name = words.pop(0)
    else:
        raise select.nothing(arguments)
    if len(words) > 1:
        raise UsageError(f"`{arguments.spelling}` takes one port, but got '{words[1]}', too")
    container = containers.find(engine.database, name)
    for port in published(container, words[0] if words else ""):
        print(port.host if words else port)


def _list_all(engine: Engine) -> None:
    """Of every running container that publishes something: its id before each port."""
    from pod.engine import list as listing
    from pod.engine.port import published
    from pod.state import containers

    for it in listing.containers(engine):
        for container in containers.by_ids(engine.database, [it.summary.id]):
            for port in published(container):
                print(f"{container.id}\t{port}")


COMMAND = Command(
    list_ports,
    "[OPTIONS] CONTAINER [PORT[/PROTOCOL]]",
    description=(
        "Lists which ports of the host lead to which ports of a container, or where one port of it is. The protocol is "
        "tcp unless it is given."
    ),
    options=(select.all_option("Show the ports of all running containers"), select.LATEST),
    maximum=None,
    completes=("container", ""),
    examples=("pod port web", "pod port web 80/tcp"),
)
