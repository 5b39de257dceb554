"""`pod save`: save images to an archive or a directory."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options.image import platform_in_list
from pod.cli.progress import progress_for
from pod.cli.streams import archive_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_FORMATS = ("docker-archive", "oci-archive", "oci-dir", "docker-dir")


def save_images(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import archives

    kind = arguments.text("format") or _FORMATS[0]
    several = arguments.flag("multi_image_archive")
    if several and kind != "docker-archive":
        raise UsageError(f"--multi-image-archive needs --format docker-archive, not {kind}")
    if arguments.flag("compress") and kind != "docker-dir":
        raise UsageError(f"--compress needs --format docker-dir, not {kind}")
    if kind == "docker-dir" and len(arguments.words) > 1:
        raise UsageError(
            "a docker-dir holds one image without any name, so a second name is too many"
        )
    path = arguments.text("output")
    if kind.endswith("-dir") and path is None:
        raise UsageError(f"--format {kind} writes a directory and needs --output")
    target = (
        archive_output() if path is None or (path == "-" and kind.endswith("archive")) else path
    )
    archives.save(
        engine,
        arguments.words,
        target,
        progress_for(quiet=arguments.flag("quiet")),
        kind=kind,
        several=several,
        compress=arguments.flag("compress"),
        platform=platform_in_list(arguments),
    )


COMMAND = Command(
    save_images,
    "[OPTIONS] IMAGE [NAME...]",
    description=(
        "Writes an image with all its layers to standard output or to a file, so that `load` of pod, podman or "
        "docker can read it. Further names are given to the image in the archive; with --multi-image-archive they "
        "are images, too, and layers that they share are written once."
    ),
    options=(
        Option(
            ("--platform",),
            "text",
            "Save the image for this platform, of a list of images",
            metavar="OS/ARCH[/VARIANT]",
        ),
        Option(
            ("--compress",), "flag", "Compress the layers of a docker-dir that are not compressed"
        ),
        Option(
            ("--format",),
            "text",
            "What to write",
            metavar="FORMAT",
            default="docker-archive",
            choices=_FORMATS,
        ),
        Option(("-m", "--multi-image-archive"), "flag", "Save several images"),
        Option(
            ("-o", "--output"),
            "text",
            "Write a file, or the directory of the -dir formats",
            metavar="PATH",
            completes="file",
        ),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        Option(
            ("--uncompressed",),
            "flag",
            "Leave layers that are not compressed as they are, which pod does anyway",
        ),
    ),
    minimum=1,
    maximum=None,
    completes=("image",),
    examples=(
        "pod save --output nginx.tar nginx",
        "pod save nginx | ssh www.example.com podman load",
        "pod save --multi-image-archive --output all.tar nginx redis",
    ),
)
