"""`pod container prune`: containers that do not run, and their removal."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.engine import list as listing
from pod.engine import remove
from pod.engine.filters import Filters
from pod.state import containers, events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.engine.context import Engine

_KEYS = ("label", "label!", "until")


def filters(texts: Iterable[str]) -> Filters:
    """The filters of prune commands, podman-container-prune(1)."""
    texts = list(texts)
    for text in texts:
        if text.partition("=")[0] not in _KEYS:
            raise UsageError(
                f"invalid argument '{text}' for '--filter': the keys are {', '.join(_KEYS)}"
            )
    return Filters(texts)


def stopped(engine: Engine, chosen: Filters) -> list[str]:
    """The ids of the containers that do not run and that the filters let through; those first that ended first."""
    found = listing.containers(engine, everything=True, filters=chosen)
    found.sort(key=lambda it: it.summary.finished_ns or it.summary.created_ns)
    return [
        it.summary.id
        for it in found
        if it.state in {"created", "exited"}
        and it.run is None
        and not it.config.get("is_infra")  # which goes with its pod
    ]


def remove_if_stopped(engine: Engine, container_id: str) -> bool:
    """Remove a container unless it has been started, or removed, or is needed; whether it was removed."""
    rows = containers.by_ids(engine.database, [container_id])
    if not rows:
        return False
    try:
        remove.remove(engine, rows[0])
    except (remove.StillRunning, containers.StillNeeded):
        return False
    engine.events.append(events.of_container(rows[0], "prune"))
    return True
