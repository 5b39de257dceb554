"""`pod image prune`: remove unused images."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.free_space import FreeSpace

_DANGLING = "This removes all images without a name that no container uses."
_ALL = "This removes all images that no container uses."
_UNTIL_FREE = "This removes images that no container uses, the least recently used first, until {size} are free."


def prune_images(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import image_prune, image_remove
    from pod.engine.image_filters import Filters

    filters = None
    if arguments.given("filter"):
        filters = Filters(engine, arguments.texts("filter"), image_prune.FILTER_KEYS)
    everything, space = arguments.flag("all"), wanted_space(arguments, engine)
    if space is not None and arguments.flag("build_cache"):
        raise UsageError("--build-cache and --until-free exclude each other")
    if not arguments.flag("force"):
        from pod.cli.ask import confirmed

        warning = _ALL if everything else _DANGLING
        if space is not None:
            warning = _UNTIL_FREE.format(size=arguments.text("until_free"))
        if not confirmed(warning):
            return
    if space is None:
        for image_id in image_prune.prune(engine, filters, everything=everything):
            print(image_id.partition(":")[2])
        image_remove.collect(engine)
        if arguments.flag("build_cache"):
            from pod.engine import build_cache

            build_cache.prune(engine, everything=True)
        return
    if not space.is_enough():
        space.collect()
    for image_id in image_prune.prune(engine, filters, everything=True, space=space):
        print(image_id.partition(":")[2])
    space.require()


def wanted_space(arguments: Arguments, engine: Engine) -> FreeSpace | None:
    """What --until-free asks for; None without it, and where there is no store yet. Raises InvalidValue."""
    import os

    text = arguments.text("until_free")
    if text is None:
        return None
    from pod.base.units import parse_size
    from pod.engine.free_space import FreeSpace

    wanted_bytes = parse_size(text, "--until-free")
    return FreeSpace(engine, wanted_bytes) if os.path.isdir(engine.paths.root) else None


COMMAND = Command(
    prune_images,
    "[OPTIONS]",
    description=(
        "Removes the images that have no name and that no container uses, and prints their ids. Asks before."
    ),
    options=(
        Option(("-a", "--all"), "flag", "Remove images with names, too"),
        Option(("--build-cache",), "flag", "Remove what builds keep, too, cache mounts included"),
        Option(("--external",), refused="no other tool makes containers of pod's images"),
        Option(
            ("--filter",),
            "list",
            "Only those that it lets through, such as until=24h",
            metavar="KEY=VALUE",
        ),
        Option(("-f", "--force"), "flag", "Do not ask"),
        Option(
            ("--until-free",),
            "text",
            "Remove images, the least recently used first, until so much space is free",
            metavar="SIZE",
        ),
    ),
    examples=(
        "pod image prune",
        "pod image prune --all --force --filter until=240h",
        "pod image prune --force --until-free 10g",
    ),
)
