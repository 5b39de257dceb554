"""`pod image prune`: remove unused images."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_DANGLING = "This removes all images without a name that no container uses."
_ALL = "This removes all images that no container uses."


def prune_images(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import image_prune, image_remove
    from pod.engine.image_filters import Filters

    filters = None
    if arguments.given("filter"):
        filters = Filters(engine, arguments.texts("filter"), image_prune.FILTER_KEYS)
    everything = arguments.flag("all")
    if not arguments.flag("force"):
        from pod.cli.ask import confirmed

        if not confirmed(_ALL if everything else _DANGLING):
            return
    for image_id in image_prune.prune(engine, filters, everything=everything):
        print(image_id.partition(":")[2])
    image_remove.collect(engine)


COMMAND = Command(
    prune_images,
    "[OPTIONS]",
    description=(
        "Removes the images that have no name and that no container uses, and prints their ids. Asks before."
    ),
    options=(
        Option(("-a", "--all"), "flag", "Remove images with names, too"),
        Option(("--build-cache",), refused="pod does not build images yet"),
        Option(("--external",), refused="no other tool makes containers of pod's images"),
        Option(
            ("--filter",),
            "list",
            "Only those that it lets through, such as until=24h",
            metavar="KEY=VALUE",
        ),
        Option(("-f", "--force"), "flag", "Do not ask"),
    ),
    examples=("pod image prune", "pod image prune --all --force --filter until=240h"),
)
