"""`pod artifact ls`: list artifacts."""

from __future__ import annotations

from pod.cli import human
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


_COLUMNS = ("Repository", "Tag", "Digest", "Created", "Size")
_SHORT = 12


def list_artifacts(arguments: Arguments, engine: Engine) -> None:
    import time

    from pod.base.times import from_rfc3339
    from pod.cli.output import Listing, show
    from pod.engine.artifacts import file_bytes
    from pod.engine.image_list import split_name
    from pod.image.artifact import CREATED

    rows, now = [], time.time_ns()
    for record in engine.store.artifacts.list():
        repository, tag = split_name(record.name)
        digits = record.digest.partition(":")[2]
        annotations = record.manifest().get("annotations")
        created = annotations.get(CREATED) if isinstance(annotations, dict) else None
        moment = from_rfc3339(created) if isinstance(created, str) else 0
        size = file_bytes(record)
        rows.append(
            {
                "Repository": repository,
                "Tag": tag,
                "Digest": record.digest if arguments.flag("no_trunc") else digits[:_SHORT],
                "Created": human.ago(moment, now) if moment else "",
                "CreatedAt": human.go_time(moment) if moment else "",
                "Size": human.size(size),
                "VirtualSize": size,
            }
        )
    show(
        Listing(_COLUMNS, {}),
        rows,
        arguments.text("format"),
        noheading=arguments.flag("noheading"),
    )


COMMAND = Command(
    list_artifacts,
    "[OPTIONS]",
    description="Lists the artifacts that are here.",
    options=(
        Option(("--format",), "text", "Show them as JSON, or by a Go template", metavar="FORMAT"),
        Option(("--no-trunc",), "flag", "Show whole digests"),
        Option(("-n", "--noheading"), "flag", "Show no headings"),
    ),
    examples=("pod artifact ls", "pod artifact ls --format '{{.Repository}}:{{.Tag}}'"),
)
