"""`pod manifest push`: copy a list with its images to a registry or a directory."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.commands.push import FORM_OPTIONS, pack_options
from pod.cli.declare import Command, Option
from pod.cli.options import manifest, signing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_ADDED = ("gzip", "zstd", "zstd:chunked")


def push_list(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import image_remove
    from pod.engine.list_push import Shape, push

    source, destination = (*arguments.words, "")[:2]
    remove = arguments.flag("rm") or arguments.flag("purge")
    digest = push(
        engine,
        source,
        destination,
        manifest.registry_options(arguments, quiet=arguments.flag("quiet")),
        Shape(
            everything=arguments.flag("all"),
            form=pack_options(arguments),
            added=_added(arguments),
            signing=signing.of(arguments),
        ),
        remove=remove,
    )
    if path := arguments.text("digestfile"):
        from pod.cli.commands.push import write_digest

        write_digest(path, digest)
    if remove:
        image_remove.collect(engine)


def _added(arguments: Arguments) -> tuple[str, ...]:
    given = arguments.texts("add_compression")
    for name in given:
        if name not in _ADDED:
            raise UsageError(
                f"invalid argument '{name}' for '--add-compression': expected is one of {', '.join(_ADDED)}"
            )
    return tuple(dict.fromkeys(given))


COMMAND = Command(
    push_list,
    "[OPTIONS] LIST [DESTINATION]",
    description=(
        "Copies a list with its images to DESTINATION, or to where its own name says. Images that are in a registry "
        "only are copied from there. A list that was pulled travels as it is, so that digests stay the same."
    ),
    options=(
        Option(
            ("--add-compression",),
            "comma",
            "Push the images with this compression too: gzip, zstd, zstd:chunked",
            metavar="FORMAT",
        ),
        Option(("--all",), "flag", "Push the images too, not the list alone", default=True),
        Option(
            ("--digestfile",),
            "text",
            "Write the digest of the list at the destination into a file",
            metavar="FILE",
            completes="file",
        ),
        *FORM_OPTIONS,
        Option(("-p", "--purge"), "flag", "The same as --rm"),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        Option(("--remove-signatures",), "flag", "Copy no signatures, which pod does anyway"),
        Option(("--rm",), "flag", "Remove the list when it has been pushed"),
        *signing.OPTIONS,
        *manifest.REGISTRY_OPTIONS,
    ),
    minimum=1,
    maximum=2,
    completes=("list",),
    examples=(
        "pod manifest push registry.example.com/team/app:1.2",
        "pod manifest push --rm app docker://registry.example.com/team/app:1.2",
        "pod manifest push app oci:directory:1.2",
    ),
)
