"""Options of the commands that stay with a container: attach, exec, run, start."""

from __future__ import annotations

import os

from pod.base import log
from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

DETACH_KEYS = Option(
    ("--detach-keys",),
    "text",
    "Keys that leave the container running in the background; empty for none",
    metavar="KEYS",
)
SIG_PROXY = Option(("--sig-proxy",), "flag", "Pass signals on to the container", default=True)


def read_detach_keys(arguments: Arguments, engine: Engine) -> bytes:
    """--detach-keys, or what containers.conf says."""
    from pod.engine.terminal import parse_detach_keys

    typed = arguments.text("detach_keys")
    return parse_detach_keys(engine.settings.engine.detach_keys if typed is None else typed)


def warn_without_terminal(*, is_wanted: bool) -> None:
    """Tell who asked for a terminal and has none to offer; scripts that do so work, so it is no error."""
    if is_wanted and not os.isatty(0):
        log.warning(
            "standard input is not a terminal, so --tty and --interactive may not do what you want"
        )
