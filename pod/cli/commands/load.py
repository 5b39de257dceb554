"""`pod load`: load images from an archive."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.cli.declare import Command, Option
from pod.cli.progress import progress_for
from pod.cli.streams import check_input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def load_images(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import archives

    source: str | int
    path = arguments.text("input")
    if path is None or path == "-":
        source = check_input("an archive")
    else:
        source = path
        if not os.path.exists(path):
            raise PodError(f"'{path}' cannot be loaded: there is no such file or directory")
    progress = progress_for(quiet=arguments.flag("quiet"))
    for image in archives.load(engine, source, progress):
        for name in image.names or (image.id,):
            print(f"Loaded image: {name}")


COMMAND = Command(
    load_images,
    "[OPTIONS]",
    description=(
        "Loads all images of an archive that `save` has written, here or by docker or podman, compressed or not, "
        "and prints their names. A directory with an OCI image layout can be given, too."
    ),
    options=(
        Option(
            ("-i", "--input"),
            "text",
            "Read a file instead of standard input",
            metavar="FILE",
            completes="file",
        ),
        Option(("--platform",), "text", refused="all images of an archive are loaded"),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
    ),
    examples=("pod load --input images.tar", "ssh build.example.com podman save web | pod load"),
)
