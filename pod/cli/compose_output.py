"""What containers of a project write, each line behind the name of its container."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pod.compose.members import Member
    from pod.engine.context import Engine
    from pod.engine.logs import Selection, Sink
    from pod.state.containers import Container

_COLORS = (b"\x1b[36m", b"\x1b[33m", b"\x1b[32m", b"\x1b[35m", b"\x1b[34m", b"\x1b[31m")
_RESET = b"\x1b[0m"


def label_of(member: Member, project: str) -> str:
    """The name of a container without that of its project: web-1."""
    return member.name.removeprefix(f"{project}-")


def with_sinks(
    engine: Engine, found: Sequence[Member], project: str, *, prefixes: bool, colors: bool
) -> list[tuple[Container, Sink]]:
    """The containers, each with the function that writes its output."""
    from pod.state import containers

    width = max((len(label_of(member, project)) for member in found), default=0)
    rows = {row.id: row for row in containers.by_ids(engine.database, [it.id for it in found])}
    result = []
    for number, member in enumerate(found):
        if member.id not in rows:
            continue
        label = label_of(member, project).ljust(width).encode() + b" | " if prefixes else b""
        if label and colors:
            label = _COLORS[number % len(_COLORS)] + label + _RESET
        result.append((rows[member.id], sink(label)))
    return result


def sink(label: bytes) -> Sink:
    """Writes each line behind a label and its time; one that comes in pieces is kept until it is whole, or all ends."""
    from pod.engine.terminal import write_out

    left = {b"stdout": (b"", b""), b"stderr": (b"", b"")}

    def write(stream: bytes, time: bytes, text: bytes) -> None:
        if not stream:
            for name, (since, rest) in left.items():
                if rest:
                    write(name, since, b"\n")
            return
        if not label and not time:
            write_out(2 if stream == b"stderr" else 1, text)
            return
        begin = label + time + b" " if time else label
        *lines, rest = (left[stream][1] + text).split(b"\n")
        left[stream] = (time, rest)
        if lines:
            out = b"".join(begin + line + b"\n" for line in lines)
            write_out(2 if stream == b"stderr" else 1, out)

    return write


def show(
    engine: Engine,
    found: Sequence[Member],
    project: str,
    selection: Selection,
    *,
    prefixes: bool,
    colors: bool,
) -> None:
    """Show the logs of the containers, one after the other, or when following, all at once."""
    from pod.engine import logs

    logs.show_several(
        engine, with_sinks(engine, found, project, prefixes=prefixes, colors=colors), selection
    )
