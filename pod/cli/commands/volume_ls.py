"""`pod volume ls`: list volumes."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.volume_list import Listed


def list_volumes(arguments: Arguments, engine: Engine) -> None:
    from pod.engine.volume_list import Filters, all_volumes

    form = arguments.text("format")
    if arguments.flag("quiet") and form:
        raise UsageError("--quiet and --format exclude each other")
    filters = Filters(engine, arguments.texts("filter")) if arguments.given("filter") else None
    found = all_volumes(engine, filters)
    if arguments.flag("quiet"):
        print("".join(f"{it.volume.name}\n" for it in found), end="")
        return
    from pod.cli.output import Listing, show

    show(
        Listing(("Driver", "Name"), {"Name": "VOLUME NAME"}),
        [_row(engine, it) for it in found],
        form,
        noheading=arguments.flag("noheading"),
        documents=lambda: [_document(engine, it) for it in found],
    )


def _row(engine: Engine, it: Listed) -> Mapping[str, Any]:
    from pod.cli.human import go_time

    row = _document(engine, it)
    return row | {
        "CreatedAt": go_time(it.volume.created_ns),
        "Label": lambda key: row["Labels"].get(key, ""),
        "Status": {},
        "StorageID": "",  # no volume lives in an image
        "Timeout": 0,
    }


def _document(engine: Engine, it: Listed) -> dict[str, Any]:
    from pod.engine.inspect_volume import describe, mount_count

    return describe(engine, it.volume, mount_count(engine, it.users))


COMMAND = Command(
    list_volumes,
    "[OPTIONS]",
    description="Lists volumes by name.",
    options=(
        Option(("--cluster",), "flag", refused="pod runs on this machine only"),
        Option(
            ("-f", "--filter"),
            "list",
            "Choose by what volumes are, such as dangling=true",
            metavar="KEY=VALUE",
        ),
        Option(("--format",), "text", "Show them as JSON, or by a Go template", metavar="FORMAT"),
        Option(("-n", "--noheading"), "flag", "Show no headings"),
        Option(("-q", "--quiet"), "flag", "Show only names"),
    ),
    examples=("pod volume ls", "pod volume ls --filter label=app=web -q"),
)
