"""`pod logs`: show what containers have written."""

from __future__ import annotations

import os

from pod.base import ids
from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.logs import Selection, Sink
    from pod.state.containers import Container

_COLORS = (b"\x1b[36m", b"\x1b[33m", b"\x1b[32m", b"\x1b[35m", b"\x1b[34m", b"\x1b[31m")
_RESET = b"\x1b[0m"


def show_logs(arguments: Arguments, engine: Engine) -> int:
    from pod.cli import several
    from pod.state import containers

    selection = read_selection(arguments)
    if arguments.flag("latest"):
        names = [select.one_name(arguments, engine)]
    elif not arguments.words:
        names = [select.one_name(arguments, engine)]  # raises
    else:
        names = arguments.words
    found, status = several.collect(names, lambda name: containers.find(engine.database, name))
    if found:
        show_of(arguments, engine, found, selection)
    return status


def show_of(
    arguments: Arguments, engine: Engine, found: list[Container], selection: Selection
) -> None:
    """Show the logs of these containers, with labels where there are several."""
    from pod.engine import logs

    sinks = []
    for number, container in enumerate(found):
        label = container.name if arguments.flag("names") else ids.short(container.id)
        needs_label = arguments.flag("names") or len(found) > 1
        sinks.append(
            _sink(
                label.encode() if needs_label else b"",
                _COLORS[number % len(_COLORS)] if _is_colored(arguments) else b"",
                times=selection.times,
            )
        )
    if len(found) == 1:
        logs.show(engine, found[0], selection, sinks[0])
    else:
        logs.show_several(engine, list(zip(found, sinks, strict=True)), selection)


def read_selection(arguments: Arguments) -> Selection:
    from pod.engine.logs import Selection

    moments = {}
    for name in ("since", "until"):
        text = arguments.text(name)
        if text is not None:
            from pod.base.times import parse_moment

            moments[name] = parse_moment(text, f"--{name}")
    return Selection(
        since_ns=moments.get("since", 0),
        until_ns=moments.get("until", 0),
        tail=_tail(arguments),
        follow=arguments.flag("follow"),
        times=arguments.flag("timestamps"),
        outputs=(1,),
    )


def _tail(arguments: Arguments) -> int:
    text = arguments.text("tail")
    if text is None or text == "all":
        return -1
    from pod.cli.parse import parse_number

    number = parse_number(text)
    if number is None:
        raise UsageError(
            f"invalid argument '{text}' for '--tail': a number of lines or 'all' is expected"
        )
    return max(number, -1)


def _is_colored(arguments: Arguments) -> bool:
    return arguments.flag("color") and not os.environ.get("NO_COLOR")


def _sink(label: bytes, color: bytes, *, times: bool) -> Sink:
    """Write pieces of output to our own streams, lines with a label or a time in front of them."""
    from pod.engine.terminal import write_out

    prefix = color + label + b" " if label else color
    suffix = _RESET if color else b""

    def plain(stream: bytes, time: bytes, text: bytes) -> None:
        write_out(2 if stream == b"stderr" else 1, text)

    def lines(stream: bytes, time: bytes, text: bytes) -> None:
        begin = prefix + time + b" " if time else prefix
        out = b"".join(
            begin + line.removesuffix(b"\n") + suffix + line[len(line.removesuffix(b"\n")) :]
            for line in text.splitlines(keepends=True)
        )
        write_out(2 if stream == b"stderr" else 1, out)

    return lines if times or prefix else plain


COMMAND = Command(
    show_logs,
    "[OPTIONS] CONTAINER [CONTAINER...]",
    description=(
        "Shows what containers have written to standard output and standard error, as far as their log driver has kept "
        "it, to the same two streams."
    ),
    options=(
        Option(("--color",), "flag", "Give the lines of each container a colour"),
        Option(
            ("-f", "--follow"), "flag", "Go on showing what is written, until the container ends"
        ),
        select.LATEST,
        Option(("-n", "--names"), "flag", "Put the container's name before each line"),
        Option(("--since",), "text", "Show lines from this time on", metavar="TIME"),
        Option(("--tail",), "text", "Show only the last lines", metavar="N", default="all"),
        Option(("-t", "--timestamps"), "flag", "Put the time before each line"),
        Option(("--until",), "text", "Show lines up to this time", metavar="TIME"),
        Option(("--details",), "flag", refused="log entries have no attributes"),
    ),
    maximum=None,
    completes=("container",),
    examples=("pod logs --follow web", "pod logs --since 10m --timestamps web"),
)
