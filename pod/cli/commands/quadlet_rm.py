"""`pod quadlet rm`: remove quadlets."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def remove_quadlets(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.several import for_each
    from pod.engine import quadlets

    if arguments.flag("all") == bool(arguments.words):
        raise UsageError(f"`{arguments.spelling}` needs names of quadlets, or --all")
    names = list(arguments.words) or quadlets.own_names(engine)

    def do(name: str) -> str | None:
        try:
            return "\n".join(quadlets.remove(engine, name, force=arguments.flag("force")))
        except quadlets.NoSuchQuadlet:
            if arguments.flag("ignore"):
                return None
            raise

    status = for_each(names, do)
    quadlets.refresh(engine, reload=arguments.flag("reload_systemd"))
    return status


COMMAND = Command(
    remove_quadlets,
    "[OPTIONS] [QUADLET|APPLICATION...]",
    description=(
        "Removes quadlets that were installed, by the name of the file, of its service, or of an application, and "
        "prints their names."
    ),
    options=(
        Option(("-a", "--all"), "flag", "Remove all that were installed"),
        Option(("-f", "--force"), "flag", "Stop services that run"),
        Option(("-i", "--ignore"), "flag", "Say nothing about quadlets that do not exist"),
        Option(
            ("--reload-systemd",), "flag", "Have systemd read its units afterwards", default=True
        ),
    ),
    maximum=None,
    examples=("pod quadlet rm web.container", "pod quadlet rm --force shop"),
)
