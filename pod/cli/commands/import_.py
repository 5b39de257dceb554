"""`pod import`: make an image of a root file system in a tar archive."""

from __future__ import annotations

import os

from pod.cli.declare import Command, Option
from pod.cli.progress import progress_for
from pod.cli.streams import check_input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def import_image(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import archives

    path, name = arguments.words[0], "".join(arguments.words[1:])
    source: str | int = path
    if path == "-":
        source = check_input("an archive")
    platform = ""
    parts = [arguments.text(option) or "" for option in ("os", "arch", "variant")]
    if any(parts):
        from pod.image.platform import platform_of

        platform = str(platform_of(*parts))
    imported = archives.import_(
        engine,
        os.path.expanduser(source) if isinstance(source, str) else source,
        progress_for(quiet=arguments.flag("quiet")),
        name=name,
        changes=arguments.texts("change"),
        message=arguments.text("message") or "",
        platform=platform,
    )
    print(imported.id)


COMMAND = Command(
    import_image,
    "[OPTIONS] SOURCE [NAME]",
    description=(
        "Makes an image of one layer of a root file system in a tar archive, compressed or not, and prints its id. "
        "SOURCE is a file, an http or https address, or - for standard input."
    ),
    options=(
        Option(("--platform",), "text", refused="use --os, --arch and --variant"),
        Option(("--arch",), "text", "Architecture of the image", metavar="ARCH"),
        Option(
            ("-c", "--change"),
            "list",
            "Instruction of a Dockerfile that changes the image's configuration",
            metavar="INSTRUCTION",
        ),
        Option(("-m", "--message"), "text", "Comment in the image's history", metavar="TEXT"),
        Option(("--os",), "text", "Operating system of the image", metavar="OS"),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        Option(("--variant",), "text", "Variant of the architecture", metavar="VARIANT"),
    ),
    minimum=1,
    maximum=2,
    completes=("file", "image"),
    examples=(
        "pod import rootfs.tar.xz base",
        "pod import --change 'CMD [\"/bin/sh\"]' --change 'ENV LANG=C.UTF-8' rootfs.tar base:1",
        "tar -c -C rootfs . | pod import - base",
    ),
)
