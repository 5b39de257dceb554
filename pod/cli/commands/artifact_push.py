"""`pod artifact push`: copy an artifact to its registry."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import image, signing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def push_artifact(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import artifacts

    options = image.registry_options(arguments)
    name, keys = arguments.words[0], signing.of(arguments)
    digest = artifacts.push_artifact(engine, name, options, keys)
    if path := arguments.text("digestfile"):
        from pod.cli.commands.push import write_digest

        write_digest(path, digest)


COMMAND = Command(
    push_artifact,
    "[OPTIONS] ARTIFACT",
    description="Copies an artifact to the registry that its name says, as it is, so that its digest stays the same.",
    options=(
        Option(
            ("--digestfile",),
            "text",
            "Write the digest of the artifact into a file",
            metavar="FILE",
            completes="file",
        ),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        *signing.OPTIONS,
        *image.REGISTRY_OPTIONS,
    ),
    minimum=1,
    maximum=1,
    completes=("artifact",),
    examples=("pod artifact push registry.example.com/team/model:1",),
)
