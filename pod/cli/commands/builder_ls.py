"""`pod builder ls`: list what builds keep."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.build_cache import Entry
    from pod.engine.context import Engine

FILTER = Option(
    ("--filter",),
    "list",
    "Choose by what they are, such as until=24h: id, type, shared, inuse, until",
    metavar="KEY=VALUE",
)
BUILDER = Option(
    ("--builder",),
    "text",
    "The builder: default, the only one",
    metavar="NAME",
    choices=("default",),
    hidden=True,
)
_LONGEST = 60
_HEADINGS = {
    "ID": "ID",
    "Type": "TYPE",
    "LastUsed": "LAST USED",
    "Size": "SIZE",
    "Shared": "SHARED",
    "Text": "INSTRUCTION",
}


def list_cache(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.output import Listing, show

    form = arguments.text("format")
    if arguments.flag("quiet") and form:
        raise UsageError("--quiet and --format exclude each other")
    found = chosen(arguments, engine)
    if arguments.flag("quiet"):
        print("".join(f"{it.id}\n" for it in found), end="")
        return
    whole = arguments.flag("no_trunc")
    show(
        Listing(tuple(_HEADINGS), _HEADINGS),
        [row(it, whole=whole) for it in found],
        form,
        noheading=arguments.flag("noheading"),
        documents=lambda: [document(it) for it in found],
    )


def chosen(arguments: Arguments, engine: Engine) -> list[Entry]:
    """What is in the cache and fits --filter, the least recently used first."""
    from pod.engine.build_cache import entries
    from pod.engine.build_filters import Filters

    filters = Filters(arguments.texts("filter"))
    return [it for it in entries(engine) if filters.choose(it) and not is_note(it)]


def is_note(it: Entry) -> bool:
    """Whether it only remembers something about an image, which is nobody's business."""
    return it.kind == "step" and it.text in {"", "image"}


def row(it: Entry, *, whole: bool) -> dict[str, Any]:
    from pod.base.log import visible
    from pod.cli.human import ago, size

    text = visible(it.text)
    if not whole and len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 3]}..."
    return {
        **document(it),
        "ID": it.id if whole else it.id[:12],
        "LastUsed": ago(it.used_ns),
        "Size": size(it.bytes),
        "Shared": str(it.is_shared).lower(),
        "Text": text,
    }


def document(it: Entry) -> dict[str, Any]:
    from pod.cli.human import go_time

    return {
        "ID": it.id,
        "Type": it.kind,
        "Text": it.text,
        "Size": it.bytes,
        "CreatedAt": go_time(it.created_ns),
        "LastUsedAt": go_time(it.used_ns),
        "Shared": it.is_shared,
        "InUse": it.in_use,
    }


COMMAND = Command(
    list_cache,
    "[OPTIONS]",
    description=(
        "Lists what builds have kept, the least recently used first: results of steps, and cache mounts. A step is "
        "shared when an image has its files as a layer."
    ),
    options=(
        FILTER,
        Option(("--format",), "text", "Show them as JSON, or by a Go template", metavar="FORMAT"),
        Option(("--no-trunc",), "flag", "Show ids and instructions in full"),
        Option(("-n", "--noheading"), "flag", "Show no headings"),
        Option(("-q", "--quiet"), "flag", "Show only ids"),
    ),
    examples=("pod builder ls", "pod builder ls --filter type=mount"),
)
