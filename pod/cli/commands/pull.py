"""`pod pull`: fetch images from registries, archives and directories."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import image
from pod.cli.several import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def pull_images(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import images, pull

    options = image.fetch_options(arguments, image.read_policy(arguments, "policy") or "always")

    def fetch(name: str) -> str:
        if options.policy == "always":
            found = pull.pull(engine, name, options).id
        else:
            found = images.ensure(engine, name, options).id
        return found.partition(":")[2]

    return for_each(arguments.words, fetch)


COMMAND = Command(
    pull_images,
    "[OPTIONS] IMAGE [IMAGE...]",
    description=(
        "Fetches images and prints the id of each. A name without a registry is looked up in the aliases and "
        "registries of registries.conf. An interrupted pull continues where it was.\n\n"
        "IMAGE can also be docker-archive:FILE, oci-archive:FILE, oci:DIRECTORY or dir:DIRECTORY."
    ),
    options=(
        Option(
            ("-a", "--all-tags"),
            refused="this version of pod pulls one tag at a time",
        ),
        Option(("--decryption-key",), "list", refused="pod cannot decrypt images"),
        Option(
            ("--disable-content-trust",),
            refused="pod has no content trust to disable; policy.json says which images may come in",
        ),
        Option(
            ("--policy",),
            "text",
            "When to pull: always, missing, newer, never",
            metavar="POLICY",
            default="always",
        ),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        *image.PLATFORM_OPTIONS,
        *image.REGISTRY_OPTIONS,
    ),
    minimum=1,
    maximum=None,
    completes=("image",),
    examples=(
        "pod pull nginx",
        "pod pull --platform linux/arm64 docker.io/library/debian:12",
        "pod pull docker-archive:image.tar",
    ),
)
