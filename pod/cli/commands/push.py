"""`pod push`: copy an image to a registry, an archive or a directory."""

from __future__ import annotations

from pod.base.errors import PodError, UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import image, signing
from pod.cli.several import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.push import PackOptions

_PLAIN = "pod cannot encrypt images"


def push_image(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import push

    source, destination = (*arguments.words, "")[:2]
    options, path = image.registry_options(arguments), arguments.text("digestfile")
    form, keys = pack_options(arguments), signing.of(arguments)
    platform = image.platform_in_list(arguments)
    if arguments.flag("all_tags"):
        if destination or path:
            raise UsageError("--all-tags excludes a destination and --digestfile")

        def push_to_its_name(name: str) -> None:
            push.push(engine, name, "", options, form, keys, platform=platform)

        return for_each(push.names_of_all_tags(engine, source), push_to_its_name)
    pushed = push.push(engine, source, destination, options, form, keys, platform=platform)
    if path:
        write_digest(path, pushed.digest)
    return 0


def pack_options(arguments: Arguments) -> PackOptions:
    """The form of the image at its destination, by FORM_OPTIONS and --compress."""
    from pod.engine.push import PackOptions

    force = arguments.flag("force_compression") if arguments.given("force_compression") else None
    if force and not arguments.text("compression_format"):
        raise UsageError("--force-compression needs --compression-format")
    return PackOptions(
        compression=arguments.text("compression_format") or "",
        level=arguments.number("compression_level"),
        force=force,
        family=arguments.text("format") or "",
        compress=arguments.option_for("--compress") is not None and arguments.flag("compress"),
    )


def write_digest(path: str, digest: str) -> None:
    """For --digestfile. Raises PodError."""
    try:
        with open(path, "w") as file:
            file.write(digest)
    except OSError as error:
        raise PodError(
            f"the digest {digest} cannot be written to '{path}': {error.strerror}"
        ) from error


FORM_OPTIONS = (
    Option(
        ("--compression-format",),
        "text",
        "Compress all layers in this way",
        metavar="FORMAT",
        choices=("gzip", "zstd", "zstd:chunked", "none"),
    ),
    Option(
        ("--compression-level",),
        "number",
        "How hard to compress, from 1 on",
        metavar="LEVEL",
        lowest=1,
    ),
    Option(
        ("--force-compression",),
        "flag",
        "Compress layers anew that the destination has in another compression",
        metavar="",
    ),
    Option(
        ("-f", "--format"),
        "text",
        "Manifest to write: oci or v2s2",
        metavar="FORMAT",
        choices=("oci", "v2s2"),
    ),
)

COMMAND = Command(
    push_image,
    "[OPTIONS] IMAGE [DESTINATION]",
    description=(
        "Copies an image to DESTINATION, or to where its own name says. Its blobs travel as they came, so that its "
        "digest stays the same. What the registry has already is not sent, and an interrupted upload goes on.\n\n"
        "DESTINATION can also be docker-archive:FILE[:NAME], oci-archive:FILE[:TAG], oci:DIRECTORY[:TAG], "
        "dir:DIRECTORY or containers-storage:NAME."
    ),
    options=(
        Option(("-a", "--all-tags"), "flag", "Push all tags that the repository has here"),
        Option(("--compress",), "flag", "Compress the layers of a dir: that are not compressed"),
        *FORM_OPTIONS,
        Option(
            ("--digestfile",),
            "text",
            "Write the digest of the manifest at the destination into a file",
            metavar="FILE",
            completes="file",
        ),
        Option(
            ("--disable-content-trust",),
            refused="pod has no content trust to disable; policy.json says which images may come in",
        ),
        Option(("--encrypt-layer",), "list", refused=_PLAIN),
        Option(("--encryption-key",), "list", refused=_PLAIN),
        Option(
            ("--platform",),
            "text",
            "Push the image for this platform, of a list of images",
            metavar="OS/ARCH[/VARIANT]",
        ),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        Option(("--remove-signatures",), "flag", "Copy no signatures, which pod does anyway"),
        *signing.OPTIONS,
        *image.REGISTRY_OPTIONS,
    ),
    minimum=1,
    maximum=2,
    completes=("image",),
    examples=(
        "pod push registry.example.com/team/app:1.2",
        "pod push app registry.example.com/team/app:1.2",
        "pod push app oci:layout:1.2",
    ),
)
