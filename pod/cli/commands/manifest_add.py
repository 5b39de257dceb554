"""`pod manifest add`: put images into a list."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.commands.manifest_create import ALL
from pod.cli.declare import Command, Option
from pod.cli.options import manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


ARTIFACT_OPTIONS = (
    Option(("--artifact",), "flag", "Make an artifact of files, and add that"),
    Option(
        ("--artifact-config",),
        "text",
        "File that is the artifact's configuration",
        metavar="FILE",
        completes="file",
    ),
    Option(("--artifact-config-type",), "text", "Media type of the configuration", metavar="TYPE"),
    Option(("--artifact-exclude-titles",), "flag", "Do not record the names of the files"),
    Option(("--artifact-layer-type",), "text", "Media type of the files", metavar="TYPE"),
    Option(
        ("--artifact-subject",),
        "text",
        "Image that the artifact is about",
        metavar="IMAGE",
        completes="image",
    ),
    Option(("--artifact-type",), "text", "Type of the artifact", metavar="TYPE"),
)


def add_to_list(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.manifest import ArtifactForm, add, add_artifact

    name, *members = arguments.words
    form = ArtifactForm(
        type=arguments.text("artifact_type") or "",
        config=arguments.text("artifact_config") or "",
        config_type=arguments.text("artifact_config_type") or "",
        layer_type=arguments.text("artifact_layer_type") or "",
        exclude_titles=arguments.flag("artifact_exclude_titles"),
        subject=arguments.text("artifact_subject") or "",
    )
    if arguments.flag("artifact"):
        if arguments.flag("all"):
            raise UsageError("--artifact excludes --all")
        options = manifest.registry_options(arguments)
        changes = manifest.changes(arguments)
        record = add_artifact(engine, name, members, changes, form, options)
        print(record.id.partition(":")[2])
        return
    for option in ARTIFACT_OPTIONS[1:]:
        if arguments.given(option.name):
            raise UsageError(f"{option.flags[0]} is of use with --artifact only")
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
        "that --os, --arch and --variant name. It can also be oci:DIRECTORY, oci-archive:FILE and the like. With "
        "--artifact, IMAGE are files."
    ),
    options=(
        ALL,
        *ARTIFACT_OPTIONS,
        *manifest.ENTRY_OPTIONS,
        *manifest.REGISTRY_OPTIONS,
    ),
    minimum=2,
    maximum=None,
    completes=("list", "image"),
    examples=(
        "pod manifest add app app-arm64",
        "pod manifest add --all app docker://registry.example.com/team/base",
        "pod manifest add --artifact --artifact-type application/spdx+json app sbom.json",
        "pod manifest add --arch arm64 --variant v8 app oci-archive:app.tar",
    ),
)
