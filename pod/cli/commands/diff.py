"""`pod diff`: what a container or an image has changed."""

from __future__ import annotations

from pod.base.errors import InvalidValue
from pod.base.log import visible
from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

FORMAT = Option(("--format",), "text", "Show it as JSON", metavar="json")
_JSON_KEYS = {"C": "changed", "A": "added", "D": "deleted"}


def diff_any(arguments: Arguments, engine: Engine) -> None:
    show(arguments, engine, "all")


def show(arguments: Arguments, engine: Engine, kind: str) -> None:
    """Print the changes of what was named, which is of a kind of engine/diff.py."""
    from pod.cli.output import json_text, write
    from pod.engine.diff import diff

    form = arguments.text("format")
    if form not in {None, "", "json"}:
        raise InvalidValue("--format", form or "", "the only one is 'json'")
    words = list(arguments.words)
    if arguments.option_for("--latest") is not None and arguments.flag("latest"):
        name, kind, others = select.one_name(arguments, engine), "container", []
    elif not words:
        raise select.nothing(arguments)
    else:
        name, *others = words
    changes = diff(engine, name, "".join(others), kind)
    if form == "json":
        found: dict[str, list[str]] = {}
        for letter, key in _JSON_KEYS.items():
            if paths := [path for change, path in changes if change == letter]:
                found[key] = paths
        write(json_text(found))
        return
    write("".join(f"{letter} {visible(path)}\n" for letter, path in changes))


COMMAND = Command(
    diff_any,
    "[OPTIONS] CONTAINER|IMAGE [CONTAINER|IMAGE]",
    description=(
        "Lists what a container has added (A), changed (C) and deleted (D) since it was created, or an image with its "
        "topmost layer. With two names: how the first differs from the second."
    ),
    options=(FORMAT, select.LATEST),
    maximum=2,
    completes=("container",),
    examples=("pod diff web", "pod diff --format json web", "pod diff web nginx"),
)
