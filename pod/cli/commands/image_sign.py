"""`pod image sign`: GPG signatures for images in registries."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import image
from pod.cli.several import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_CONNECTION = tuple(
    option
    for option in image.REGISTRY_OPTIONS
    if option.name in ("authfile", "cert_dir", "tls_verify")
)


def sign_images(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import image_sign
    from pod.engine.images import PullOptions

    key = arguments.text("sign_by")
    if not key:
        raise UsageError("--sign-by says with which key; it must be given")
    options = PullOptions(
        authfile=arguments.text("authfile") or "",
        certificates=arguments.text("cert_dir") or "",
        tls_verify=arguments.flag("tls_verify") if arguments.given("tls_verify") else None,
    )

    def sign(name: str) -> None:
        image_sign.sign(
            engine,
            name,
            key,
            options,
            directory=arguments.text("directory") or "",
            every=arguments.flag("all"),
        )

    return for_each(arguments.words, sign)


COMMAND = Command(
    sign_images,
    "[OPTIONS] IMAGE [IMAGE...]",
    description=(
        "Signs images that are in a registry with a key of your gpg. The signature is a file, for the lookaside that "
        "registries.d names, or below --directory. The image itself need not be here."
    ),
    options=(
        Option(("-a", "--all"), "flag", "Sign a list of images, and each image in it"),
        Option(
            ("-d", "--directory"),
            "text",
            "Directory for the signatures, instead of that of registries.d",
            metavar="DIRECTORY",
            completes="directory",
        ),
        Option(("--sign-by",), "text", "The key of your gpg", metavar="KEY"),
        *_CONNECTION,
    ),
    minimum=1,
    maximum=None,
    completes=("image",),
    examples=("pod image sign --sign-by me@example.com quay.io/team/app:1.2",),
)
