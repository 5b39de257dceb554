"""`pod manifest add`: put images into a list."""

from __future__ import annotations

from pod.cli.commands.manifest_create import ALL
from pod.cli.declare import Command, Option
from pod.cli.options import manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def add_to_list(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.manifest import add

    name, *members = arguments.words
    record = add(
        engine,
        name,
        members,
        manifest.changes(arguments),
        manifest.registry_options(arguments),
        everything=arguments.flag("all"),
    )
    print(record.id.partition(":")[2])


COMMAND = Command(
    add_to_list,
    "[OPTIONS] LIST IMAGE [IMAGE...]",
    description=(
        "Puts images into a list and prints its id. IMAGE is local, or else in a registry, where it stays until the "
        "list is pushed; docker://NAME looks there only. Of a list the image for this machine is added, or the one "
        "that --os, --arch and --variant name. It can also be oci:DIRECTORY, oci-archive:FILE and the like."
    ),
    options=(
        ALL,
        *(
            Option((f"--artifact{name}",), refused="this version of pod adds images only")
            for name in (
                "",
                "-config",
                "-config-type",
                "-exclude-titles",
                "-layer-type",
                "-subject",
                "-type",
            )
        ),
        *manifest.ENTRY_OPTIONS,
        *manifest.REGISTRY_OPTIONS,
    ),
    minimum=2,
    maximum=None,
    completes=("list", "image"),
    examples=(
        "pod manifest add app app-arm64",
        "pod manifest add --all app docker://registry.example.com/team/base",
        "pod manifest add --arch arm64 --variant v8 app oci-archive:app.tar",
    ),
)
