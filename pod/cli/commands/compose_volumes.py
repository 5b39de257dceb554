"""`pod compose volumes`: list the volumes of a project."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def list_volumes(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.output import Listing, show
    from pod.compose import identity, resources
    from pod.state import volumes

    name, project = compose.load_if_there(arguments, engine)
    rows = volumes.all_of(engine.database)
    found = [row for row in rows if row.labels.get(identity.PROJECT) == name]
    if arguments.words and project is not None:
        for word in arguments.words:
            project.service(word)
        keys = resources.used_volumes(project, arguments.words)
        wanted = {project.name_of("volumes", key) for key in keys}
        found = [row for row in found if row.name in wanted]
    if arguments.flag("quiet"):
        print("".join(f"{row.name}\n" for row in found), end="")
        return
    form = arguments.text("format")
    shown = [{"Driver": "local", "Name": row.name, "Labels": dict(row.labels)} for row in found]
    listing = Listing(("Driver", "Name"), {"Driver": "DRIVER", "Name": "VOLUME NAME"})
    show(listing, shown, None if form == "table" else form, documents=lambda: shown)


COMMAND = Command(
    list_volumes,
    "[OPTIONS] [SERVICE...]",
    description="Lists the volumes that were made for a project, or those of them that services use.",
    options=(
        Option(("--format",), "text", "Show it as table, json, or by a template of Go", metavar="FORMAT"),
        Option(("-q", "--quiet"), "flag", "Show names only"),
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose volumes",),
)  # fmt: skip
