"""`pod compose lock`: write down the digests of the images of a project."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def lock(arguments: Arguments, engine: Engine) -> int:
    from pod.compose import images, lockfile, rehearsal

    project = compose.load(arguments, engine)
    path = arguments.text("output") or lockfile.path_of(project)
    if compose.is_dry_run(arguments):
        how = compose.image_options(arguments)
        lines = rehearsal.of_images(engine, project, project.services, how)
        return compose.show_lines([*lines, rehearsal.line("file", "write", path)])
    quiet = arguments.flag("quiet")
    images.provide(engine, project, project.services, compose.image_options(arguments, quiet=quiet))
    found = lockfile.digests(engine, project, project.services)
    lockfile.write(path, found)
    if not quiet:
        for name, digest in found.items():
            print(f"{name} {digest}")
    return 0


COMMAND = Command(
    lock,
    "[OPTIONS]",
    description=(
        "Writes the digests of the images that services use into compose.lock, beside the compose file. Images that "
        "are not here are pulled or built first; those that are here are locked as they are. `up --frozen` then takes "
        "these images and no others, without asking a registry."
    ),
    options=(
        Option(("-o", "--output"), "text", "Write to another file", metavar="FILE", completes="file"),
        Option(("-q", "--quiet"), "flag", "Do not show what is written"),
        compose.DRY_RUN,
    ),
    examples=("pod compose lock", "pod compose pull && pod compose lock", "pod compose up -d --frozen"),
)  # fmt: skip
