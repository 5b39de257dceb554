"""`pod system prune`: remove everything that is not in use."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.system_prune import Choice


def prune_system(arguments: Arguments, engine: Engine) -> None:
    from pod.cli import human
    from pod.cli.commands.image_prune import wanted_space
    from pod.engine.system_prune import Choice, system_prune

    space = wanted_space(arguments, engine)
    choice = Choice(
        all_images=arguments.flag("all"),
        with_volumes=arguments.flag("volumes"),
        only_leftovers=arguments.flag("external"),
        filters=tuple(arguments.texts("filter")),
        until_free_bytes=None if space is None else space.wanted_bytes,
    )
    if choice.only_leftovers and choice != Choice(only_leftovers=True):
        raise UsageError("--external excludes --all, --volumes, --filter and --until-free")
    if not arguments.flag("force"):
        from pod.cli.ask import confirmed
        from pod.engine.prune import filters

        filters(choice.filters)  # wrong ones are told before the question
        if not confirmed(_warning(choice)):
            return
    pruned = system_prune(engine, choice)
    for heading, names in (
        ("Deleted Pods", pruned.pods),
        ("Deleted Containers", pruned.containers),
        ("Deleted Volumes", pruned.volumes),
        ("Deleted Images", [image_id.partition(":")[2] for image_id in pruned.images]),
        ("Deleted Networks", pruned.networks),
        ("Deleted Leftovers", pruned.leftovers),
    ):
        if names:
            print(heading, *names, sep="\n")
    freed = 0
    if arguments.flag("build"):
        from pod.engine import build_cache

        freed = build_cache.prune(engine, everything=choice.all_images).bytes
    size = human.size(pruned.reclaimed_bytes + freed, digits=4, space=False)
    print(f"Total reclaimed space: {size}", flush=True)
    if space is not None:
        space.require()


def _warning(choice: Choice) -> str:
    what = ["what killed commands have left, and interrupted downloads"]
    if not choice.only_leftovers:
        images = "all images" if choice.all_images else "all images without a name"
        what = [
            "all stopped pods and containers",
            "all networks that no container is on",
            f"{images} that no container uses",
            *what,
        ]
        if choice.with_volumes:
            what.insert(1, "all volumes that no container uses")
    if choice.until_free_bytes is not None:
        what = [
            "what killed commands have left, and interrupted downloads",
            "stopped containers",
            "images that no container uses, the least recently used first",
            *(["all volumes that no container uses"] if choice.with_volumes else []),
        ]
        until = f"until {choice.until_free_bytes} bytes are free, in this order"
        return f"This removes, {until}:\n" + "".join(f"  - {line}\n" for line in what)
    return "This removes:\n" + "".join(f"  - {line}\n" for line in what)


COMMAND = Command(
    prune_system,
    "[OPTIONS]",
    description=(
        "Removes stopped containers, images without a name that no container uses, networks that no container is on, "
        "what killed commands have left, and interrupted downloads, and tells how much space that gave back. Asks "
        "before."
    ),
    options=(
        Option(
            ("-a", "--all"), "flag", "Remove images with names, too, when no container uses them"
        ),
        Option(
            ("--build",), "flag", "Remove what builds keep and no image has, too; all with --all"
        ),
        Option(
            ("--external",),
            "flag",
            "Remove only what killed commands have left, and interrupted downloads",
        ),
        Option(
            ("--filter",),
            "list",
            "Only what it lets through: label=, label!= or until=",
            metavar="KEY=VALUE",
        ),
        Option(("-f", "--force"), "flag", "Do not ask"),
        Option(
            ("--until-free",),
            "text",
            "Remove only as much as it takes until so much space is free",
            metavar="SIZE",
        ),
        Option(("--volumes",), "flag", "Remove the volumes that no container uses, too"),
    ),
    examples=(
        "pod system prune",
        "pod system prune --all --volumes --force",
        "pod system prune --force --until-free 10g",
    ),
)
