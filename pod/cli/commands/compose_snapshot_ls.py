"""`pod compose snapshot ls`: list the snapshots of a project."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def list_snapshots(arguments: Arguments, engine: Engine) -> None:
    from pod.cli import human
    from pod.cli.output import Listing, show
    from pod.compose import snapshot

    name, _ = compose.load_if_there(arguments, engine)
    found = snapshot.all_of(engine, name)
    if arguments.flag("quiet"):
        print("".join(f"{one.name}\n" for one in found), end="")
        return
    rows = [
        {
            "Name": one.name,
            "Created": human.ago(one.created_ns),
            "Volumes": ", ".join(str(volume["name"]) for volume in one.volumes),
            "Size": human.size(one.size),
        }
        for one in found
    ]
    form = arguments.text("format")
    listing = Listing(("Name", "Created", "Volumes", "Size"), {})
    show(listing, rows, None if form == "table" else form, documents=lambda: rows)


COMMAND = Command(
    list_snapshots,
    "[OPTIONS]",
    description="Lists the snapshots of a project, the oldest first, with the size of the files in them.",
    options=(
        Option(("--format",), "text", "Show it as table, json, or by a template of Go", metavar="FORMAT"),
        Option(("-q", "--quiet"), "flag", "Show names only"),
    ),
    examples=("pod compose snapshot ls",),
)  # fmt: skip
