"""`pod artifact pull`: fetch artifacts from registries."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def pull_artifacts(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine.artifacts import pull_artifact

    options = image.registry_options(arguments)

    def do(name: str) -> str:
        return pull_artifact(engine, name, options).digest.partition(":")[2]

    return for_each(arguments.words, do)


COMMAND = Command(
    pull_artifacts,
    "[OPTIONS] ARTIFACT [ARTIFACT...]",
    description="Fetches artifacts from registries and prints the digest of each.",
    options=(
        Option(("--decryption-key",), "list", refused="pod cannot decrypt artifacts"),
        Option(("-q", "--quiet"), "flag", "Show no progress"),
        *image.REGISTRY_OPTIONS,
    ),
    minimum=1,
    maximum=None,
    examples=("pod artifact pull registry.example.com/team/model:1",),
)
