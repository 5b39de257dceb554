"""`pod attach`: see what a running container writes, and type into it."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import attaching, select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def attach_to_container(arguments: Arguments, engine: Engine) -> int:
    from pod.engine.attach import attach
    from pod.state import containers

    detach_keys = attaching.read_detach_keys(arguments, engine)
    container = containers.find(engine.database, select.one_name(arguments, engine))
    return attach(
        engine,
        container,
        detach_keys=detach_keys,
        read_stdin=container.config.interactive and not arguments.flag("no_stdin"),
        sig_proxy=arguments.flag("sig_proxy"),
    )


COMMAND = Command(
    attach_to_container,
    "[OPTIONS] CONTAINER",
    description=(
        "Shows what a running container writes from now on, and passes on what is typed when the container was made "
        "with --interactive. Ends with the container, whose exit status it gives, or with the detach keys, ctrl-p "
        "ctrl-q."
    ),
    options=(
        attaching.DETACH_KEYS,
        select.LATEST,
        Option(("--no-stdin",), "flag", "Do not pass standard input on"),
        attaching.SIG_PROXY,
    ),
    maximum=1,
    completes=("running",),
    examples=("pod attach shell", "pod attach --no-stdin web"),
)
