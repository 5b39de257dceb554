"""`pod pull`: fetch images from registries, archives and directories."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options import image
from pod.cli.several import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def pull_images(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import images, pull

    _check(arguments)
    options = image.fetch_options(arguments, image.read_policy(arguments, "policy") or "always")

    def fetch(name: str) -> str | None:
        if arguments.flag("all_platforms"):
            from pod.engine import pull_whole

            found = pull_whole.pull_all_platforms(engine, name, options).id
        elif arguments.flag("all_tags"):
            from pod.engine import pull_whole

            pulled = pull_whole.pull_tag(engine, name, options)
            if pulled is None:
                return None
            found = pulled.id
        elif options.policy == "always":
            found = pull.pull(engine, name, options).id
        else:
            found = images.ensure(engine, name, options).id
        return found.partition(":")[2]

    if not arguments.flag("all_tags"):
        return for_each(arguments.words, fetch)
    names: list[str] = []

    def list_tags(name: str) -> None:
        from pod.engine import pull_whole

        names.extend(pull_whole.names_of_all_tags(engine, name, options))

    status = for_each(arguments.words, list_tags)
    return for_each(names, fetch) or status


def _check(arguments: Arguments) -> None:
    for name in ("all_tags", "platform", "os", "arch", "variant"):
        if arguments.flag("all_platforms") and arguments.given(name):
            raise UsageError(f"--all-platforms excludes --{name.replace('_', '-')}")


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
            ("--all-platforms",),
            "flag",
            "Pull a list with its images for all platforms, so that it can be pushed again",
        ),
        Option(("-a", "--all-tags"), "flag", "Pull all tags of the repository"),
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
        "pod pull --all-platforms registry.example.com/team/app:1.2",
        "pod pull --platform linux/arm64 docker.io/library/debian:12",
        "pod pull docker-archive:image.tar",
    ),
)
