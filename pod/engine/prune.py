"""`pod container prune`: containers that do not run, and their removal."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.engine import list as listing
from pod.engine import remove
from pod.engine.filters import Filters
from pod.state import containers

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
    """The ids of the containers that do not run and that the filters let through.

    Those that others need come after those others, so that one pass removes them all.
    """
    found = listing.containers(engine, everything=True, filters=chosen)
    left = {
        it.summary.id: it for it in found if it.state in {"created", "exited"} and it.run is None
    }
    ordered: list[str] = []
    while left:
        needed = {one for it in left.values() for one in it.config.get("needs", ())}
        free = [container_id for container_id in left if container_id not in needed] or list(left)
        for container_id in free:
            del left[container_id]
        ordered += free
    return ordered


def remove_if_stopped(engine: Engine, container_id: str) -> bool:
    """Remove a container unless it has been started, or removed, or is needed; whether it was removed."""
    rows = containers.by_ids(engine.database, [container_id])
    if not rows:
        return False
    try:
        remove.remove(engine, rows[0])
    except (remove.StillRunning, containers.StillNeeded):
        return False
    return True
