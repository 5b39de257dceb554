"""`pod push`: copy an image to a registry, an archive or a directory."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import image, signing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_LATER = "this version of pod pushes blobs as they are"
_PLAIN = "pod cannot encrypt images"


def push_image(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import push

    source, destination = (*arguments.words, "")[:2]
    options = image.registry_options(arguments)
    digest = push.push(engine, source, destination, options, signing.of(arguments)).digest
    if path := arguments.text("digestfile"):
        write_digest(path, digest)


def write_digest(path: str, digest: str) -> None:
    """For --digestfile. Raises PodError."""
    from pod.base.errors import PodError

    try:
        with open(path, "w") as file:
            file.write(digest)
    except OSError as error:
        raise PodError(
            f"the digest {digest} cannot be written to '{path}': {error.strerror}"
        ) from error


COMMAND = Command(
    push_image,
    "[OPTIONS] IMAGE [DESTINATION]",
    description=(
        "Copies an image to DESTINATION, or to where its own name says. Its blobs travel as they came, so that its "
        "digest stays the same. What the registry has already is not sent, and an interrupted upload goes on."
    ),
    options=(
        Option(("-a", "--all-tags"), refused="this version of pod pushes one tag at a time"),
        Option(("--compress",), "flag", refused=_LATER),
        Option(("--compression-format",), "text", refused=_LATER),
        Option(("--compression-level",), "number", refused=_LATER),
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
        Option(("--force-compression",), "flag", refused=_LATER),
        Option(("-f", "--format"), "text", refused=_LATER),
        Option(("--platform",), "text", refused="an image of pod is for one platform"),
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
    ),
)
