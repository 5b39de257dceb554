"""`pod volume prune`: remove the volumes that no container uses."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def prune_volumes(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import volume_list, volume_remove

    filters = None
    if arguments.given("filter"):
        filters = volume_list.Filters(engine, arguments.texts("filter"))
    if not arguments.flag("force"):
        unused = [it for it in volume_list.all_volumes(engine, filters) if not it.users]
        if not unused:
            print("No volume is unused")
            return
        from pod.cli.ask import confirmed

        names = "\n".join(it.volume.name for it in unused)
        if not confirmed(f"These volumes are used by no container and will be removed:\n{names}"):
            return
    for name, _ in volume_remove.prune(engine, filters):
        print(name)
    volume_remove.collect(engine)


COMMAND = Command(
    prune_volumes,
    "[OPTIONS]",
    description="Removes the volumes that no container uses, running or not, with all their files. Asks before.",
    options=(
        Option(
            ("-a", "--all"),
            "flag",
            "Does nothing: volumes with a name are always meant",
            hidden=True,
        ),
        Option(
            ("--filter",),
            "list",
            "Remove only those that are so, such as label=app=web",
            metavar="KEY=VALUE",
        ),
        Option(("-f", "--force"), "flag", "Do not ask"),
    ),
    examples=("pod volume prune", "pod volume prune --force --filter until=24h"),
)
