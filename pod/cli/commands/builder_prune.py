"""`pod builder prune`: remove what builds keep."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.commands.builder_ls import BUILDER, FILTER, is_note
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_SOME = "This removes all results of steps that are no layers of images."
_ALL = "This removes all results of steps, and all cache mounts."


def prune_cache(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.ask import confirmed
    from pod.cli.human import size
    from pod.engine.build_cache import prune
    from pod.engine.build_filters import Filters

    keep_bytes = _kept(arguments)
    everything = arguments.flag("all")
    filters = Filters(arguments.texts("filter"))
    if not arguments.flag("force") and not confirmed(_ALL if everything else _SOME):
        return
    pruned = prune(engine, everything=everything, keep_bytes=keep_bytes, choose=filters.choose)
    for it in pruned.entries:
        if not is_note(it):
            print(it.id)
    print(f"Total reclaimed space: {size(pruned.bytes)}")


def _kept(arguments: Arguments) -> int | None:
    from pod.base.units import parse_size

    given = [name for name in ("keep_storage", "max_used_space") if arguments.given(name)]
    if len(given) > 1:
        raise UsageError("--keep-storage and --max-used-space exclude each other")
    if not given:
        return None
    return parse_size(arguments.text(given[0]) or "", f"--{given[0].replace('_', '-')}")


COMMAND = Command(
    prune_cache,
    "[OPTIONS]",
    description=(
        "Removes results of steps that are no layers of images, and prints their ids. Nothing that a running build "
        "needs is removed. Asks before."
    ),
    options=(
        Option(("-a", "--all"), "flag", "Remove those of images, and cache mounts, too"),
        BUILDER,
        FILTER,
        Option(("-f", "--force"), "flag", "Do not ask"),
        Option(
            ("--keep-storage",),
            "text",
            "Remove the least recently used ones only, until this much is left",
            metavar="SIZE",
        ),
        Option(
            ("--max-used-space",), "text", "The same, in docker's newer spelling", metavar="SIZE"
        ),
        Option(("--reserved-space",), "text", refused="use --keep-storage"),
        Option(("--min-free-space",), "text", refused="use --keep-storage"),
        Option(("--verbose",), "flag", refused="`pod builder ls` shows what there is"),
    ),
    examples=(
        "pod builder prune",
        "pod builder prune --all --force --filter until=240h",
        "pod builder prune --all --force --keep-storage 10g",
    ),
)
