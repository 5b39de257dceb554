"""Wait until containers end, or are in another state."""

from __future__ import annotations

import time

from pod.base.errors import InvalidValue
from pod.engine import finish
from pod.engine import list as listing
from pod.engine.client import PAUSE_SECONDS, Client
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.engine.context import Engine
    from pod.state.containers import Container

ENDED = frozenset(("exited", "stopped"))
# What --condition takes: podman's words, and the states of pod that they mean.
CONDITIONS = {
    "configured": "created",
    "created": "created",
    "exited": "exited",
    "initialized": "initialized",
    "paused": "paused",
    "restarting": "restarting",
    "running": "running",
    "stopped": "exited",
}


def wait(engine: Engine, container: Container) -> int:
    """Wait until the container does not run; its exit status. One that never ran gives 0."""
    while True:
        container, run = finish.refresh(engine, container)
        if run is None:
            return container.exit_status
        if run.end:
            return int(run.end["status"])
        client = Client(engine, container)
        try:
            client.wait_for_exit(None)
        finally:
            client.close()
        if client.exit_status is not None:
            return client.exit_status
        rows = containers.by_ids(engine.database, [container.id])
        if not rows:
            return container.exit_status
        container = rows[0]
        time.sleep(PAUSE_SECONDS)  # another command is starting it, or clears up after its monitor


def wait_for(
    engine: Engine, container: Container, conditions: Iterable[str], interval_seconds: float
) -> int:
    """Wait until the container is in one of these states; its exit status when it has ended, else -1.

    Asks again after each interval, except when the end is all that is waited for, of which monitors tell.
    """
    wanted = {CONDITIONS[word] for word in conditions}
    if wanted == {"exited"} and container.status != "created":
        return wait(engine, container)
    while True:
        container, run = finish.refresh(engine, container)
        state = container.status if run is None else listing.state_of(run)
        if state in wanted:
            return container.exit_status if state == "exited" else -1
        rows = containers.by_ids(engine.database, [container.id])
        if not rows:
            return container.exit_status
        container = rows[0]
        time.sleep(interval_seconds)


def parse_conditions(texts: Iterable[str]) -> tuple[str, ...]:
    """--condition: names of states. Raises InvalidValue."""
    words = tuple(text.lower() for text in texts)
    for word in words:
        if word not in CONDITIONS:
            raise InvalidValue("--condition", word, f"one of {', '.join(CONDITIONS)}")
    return words
