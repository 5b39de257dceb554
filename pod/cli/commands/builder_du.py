"""`pod builder du`: how much disk space the cache of builds takes."""

from __future__ import annotations

from pod.cli.commands.builder_ls import BUILDER, FILTER, chosen
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def show_usage(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.human import size

    found = chosen(arguments, engine)
    if arguments.flag("verbose"):
        for it in reversed(found):
            print(f"{it.id[:12]}  {it.kind:5}  {size(it.bytes):>8}  {it.text}")
        print()
    total = sum(it.bytes for it in found)
    reclaimable = sum(it.bytes for it in found if not it.in_use)
    for name, number in (("Reclaimable", reclaimable), ("Total", total)):
        print(f"{name + ':':13}{size(number)}")


COMMAND = Command(
    show_usage,
    "[OPTIONS]",
    description=(
        "Shows how much disk space the results of steps and cache mounts take: what `pod builder prune --all` would "
        "set free, and all together. What images have as layers does not count."
    ),
    options=(
        BUILDER,
        FILTER,
        Option(("--format",), "text", refused="`pod builder ls --format` shows them"),
        Option(("--verbose",), "flag", "Show each of them, too"),
    ),
    examples=("pod builder du", "pod builder du --verbose"),
)
