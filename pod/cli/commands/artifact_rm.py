"""`pod artifact rm`: remove artifacts."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.several import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def remove_artifacts(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import artifacts, image_remove
    from storage.artifacts import ArtifactNotFound

    def remove(name: str) -> str | None:
        try:
            return artifacts.remove(engine, name).partition(":")[2]
        except ArtifactNotFound:
            if arguments.flag("ignore"):
                return None
            raise

    names = arguments.words
    if arguments.flag("all"):
        if names:
            raise UsageError(f"--all excludes a name, '{names[0]}'")
        names = [it.name for it in engine.store.artifacts.list()]
    elif not names:
        raise UsageError(
            f"`{arguments.spelling}` needs the name of an artifact, or --all",
            hint=f"{arguments.spelling} --help",
        )
    status = for_each(names, remove)
    image_remove.collect(engine)
    return status


COMMAND = Command(
    remove_artifacts,
    "[OPTIONS] [ARTIFACT...]",
    description="Removes artifacts and prints the digest of each.",
    options=(
        Option(("-a", "--all"), "flag", "Remove all artifacts"),
        Option(("-i", "--ignore"), "flag", "Say nothing about artifacts that do not exist"),
    ),
    maximum=None,
    completes=("artifact",),
    examples=("pod artifact rm localhost/docs", "pod artifact rm --all"),
)
