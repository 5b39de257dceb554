"""`pod artifact push`: copy an artifact to its registry."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


_UNSIGNED = "this version of pod does not sign artifacts"


def push_artifact(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import artifacts

    digest = artifacts.push_artifact(engine, arguments.words[0], image.registry_options(arguments))
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
        Option(("--sign-by",), "text", refused=_UNSIGNED),
        Option(("--sign-by-sigstore",), "text", refused=_UNSIGNED),
        Option(("--sign-by-sigstore-private-key",), "text", refused=_UNSIGNED),
        Option(("--sign-by-sq-fingerprint",), "text", refused=_UNSIGNED),
        Option(("--sign-passphrase-file",), "text", refused=_UNSIGNED),
        *image.REGISTRY_OPTIONS,
    ),
    minimum=1,
    maximum=1,
    completes=("artifact",),
    examples=("pod artifact push registry.example.com/team/model:1",),
)
