"""`pod quadlet list`: the quadlets that systemd finds."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.quadlets import Installed

_COLUMNS = ("Name", "UnitName", "Path", "Status", "App")
_HEADINGS = {"UnitName": "UNIT NAME", "Path": "PATH ON DISK", "App": "APPLICATION"}


def list_quadlets(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.output import Listing, show
    from pod.engine import quadlets

    filters = [_filter(text) for text in arguments.texts("filter")]
    found = [it for it in quadlets.installed(engine) if _passes(it, filters)]
    rows = [
        {
            "Name": it.name,
            "UnitName": it.service,
            "Path": it.path,
            "Status": it.status,
            "App": it.application,
        }
        for it in found
    ]
    show(Listing(_COLUMNS, _HEADINGS), rows, arguments.text("format"), documents=lambda: rows)


def _filter(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if key not in {"name", "status"} or not equals:
        raise UsageError(
            f"invalid argument '{text}' for '--filter': KEY=VALUE is expected, and the keys are name, status"
        )
    return key, value


def _passes(it: Installed, filters: list[tuple[str, str]]) -> bool:
    from fnmatch import fnmatchcase  # heavy

    names = [value for key, value in filters if key == "name"]
    states = [value for key, value in filters if key == "status"]
    return (not names or any(fnmatchcase(it.name, value) for value in names)) and (
        not states or it.status in states
    )


COMMAND = Command(
    list_quadlets,
    "[OPTIONS]",
    description="Lists the quadlets in all directories, with their services and what these do.",
    options=(
        Option(
            ("-f", "--filter"),
            "list",
            "Only those for which this holds: name= or status=",
            metavar="KEY=VALUE",
        ),
        Option(("--format",), "text", "Show them as JSON, or by a Go template", metavar="FORMAT"),
    ),
    examples=("pod quadlet list", "pod quadlet list --format '{{.Name}} {{.Status}}'"),
)
