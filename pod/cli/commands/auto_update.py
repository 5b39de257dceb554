"""`pod auto-update`: bring running containers to the newest version of their images."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.auto_update import Update
    from pod.engine.context import Engine

_COLUMNS = ("Unit", "Container", "Image", "Policy", "Updated")


def update_containers(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.options.image import loud_progress
    from pod.cli.output import Listing, show
    from pod.cli.report import report
    from pod.engine.auto_update import auto_update
    from pod.engine.images import PullOptions

    statuses: list[int] = []

    def tell(error: PodError) -> None:
        statuses.append(report(error))

    pull = PullOptions(
        authfile=arguments.text("authfile") or "",
        tls_verify=arguments.flag("tls_verify") if arguments.given("tls_verify") else None,
        progress=loud_progress,
    )
    updates = auto_update(
        engine,
        pull,
        dry_run=arguments.flag("dry_run"),
        rollback=arguments.flag("rollback"),
        tell=tell,
    )
    rows = [_row(it) for it in updates]
    show(Listing(_COLUMNS, {}), rows, arguments.text("format"), documents=lambda: rows)
    return statuses[-1] if statuses else 0


def _row(update: Update) -> dict[str, Any]:
    container = update.container
    return {
        "Unit": update.unit,
        "Container": f"{container.id[:12]} ({container.name})",
        "ContainerID": container.id,
        "ContainerName": container.name,
        "Image": container.config.image,
        "Policy": update.policy,
        "Updated": update.updated,
    }


COMMAND = Command(
    update_containers,
    description=(
        "Looks whether there is a newer image for each running container that has the label io.containers.autoupdate: "
        "in its registry with the value registry, among local images with local. If there is, the unit that runs the "
        "container is restarted, or a container without one is made anew. What does not become ready then gets its "
        "old image back."
    ),
    options=(
        Option(
            ("--authfile",),
            "text",
            "File with credentials of registries",
            metavar="FILE",
            completes="file",
        ),
        Option(("--dry-run",), "flag", "Look, and change nothing"),
        Option(("--format",), "text", "Show them as JSON, or by a Go template", metavar="FORMAT"),
        Option(
            ("--rollback",),
            "flag",
            "Go back to the old image when the new one does not become ready",
            default=True,
        ),
        Option(("--tls-verify",), "flag", "Require TLS and check certificates", default=True),
    ),
    examples=("pod auto-update --dry-run", "pod auto-update"),
)
