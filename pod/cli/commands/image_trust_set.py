"""`pod image trust set`: a rule of the caller's policy.json."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine

_TYPES = ("accept", "reject", "signedBy", "sigstoreSigned")


def set_trust(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import image_trust

    kind = arguments.text("type") or ""
    image_trust.set_rule(engine, arguments.words[0], kind, arguments.texts("pubkeysfile"))


COMMAND = Command(
    set_trust,
    "[OPTIONS] REGISTRY",
    description=(
        "Writes a rule for REGISTRY into your own policy.json: a registry, a namespace, a repository, or 'default' for "
        "all images without a rule. With several keys, each must have signed an image."
    ),
    options=(
        Option(
            ("-f", "--pubkeysfile"),
            "comma",
            "File with a public key that must have signed",
            metavar="FILE",
            completes="file",
        ),
        Option(
            ("-t", "--type"),
            "text",
            "Which images may come in",
            metavar="TYPE",
            default="signedBy",
            choices=_TYPES,
        ),
    ),
    minimum=1,
    maximum=1,
    examples=(
        "pod image trust set --type reject default",
        "pod image trust set --pubkeysfile team.asc quay.io/team",
    ),
)
