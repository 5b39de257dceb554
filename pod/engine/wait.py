"""Wait until containers end, or are in another state."""

from __future__ import annotations

import time

from pod.base.errors import InvalidValue, PodError
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
HEALTH = ("healthy", "unhealthy")
# What --condition takes, besides those: podman's words, and the states of pod that they mean.
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
            return finish.status_of_removed(engine, container)
        container = rows[0]
        time.sleep(PAUSE_SECONDS)  # another command is starting it, or clears up after its monitor


def wait_for(
    engine: Engine, container: Container, conditions: Iterable[str], interval_seconds: float
) -> int:
    """Wait until the container is in one of these states; its exit status when it has ended, else -1.

    Asks again after each interval, except when the end is all that is waited for, of which monitors tell.
    """
    conditions = tuple(conditions)
    wanted = {CONDITIONS[word] for word in conditions if word not in HEALTH}
    if healths := [word for word in conditions if word in HEALTH]:
        return _wait_for_health(engine, container, wanted, healths, interval_seconds)
    if wanted == {"exited"} and container.status != "created":
        return wait(engine, container)
    while True:
        container, run = finish.refresh(engine, container)
        state = container.status if run is None else listing.state_of(run)
        if state in wanted:
            return container.exit_status if state == "exited" else -1
        rows = containers.by_ids(engine.database, [container.id])
        if not rows:
            return finish.status_of_removed(engine, container)
        container = rows[0]
        time.sleep(interval_seconds)


def wait_for_first(
    engine: Engine,
    wanted: Iterable[Container],
    conditions: Iterable[str],
    interval_seconds: float,
) -> int:
    """Wait until one of the containers is in one of these states; as `wait_for` for that one. Asks at each interval."""
    left = list(wanted)
    conditions = frozenset(conditions)
    states = {CONDITIONS[word] for word in conditions if word not in HEALTH}
    while left:
        for number, known in enumerate(left):
            container, run = finish.refresh(engine, known)
            rows = containers.by_ids(engine.database, [container.id])
            state = container.status if run is None else listing.state_of(run)
            if not rows:
                return finish.status_of_removed(engine, container)
            if state in states:
                return container.exit_status if state == "exited" else -1
            left[number] = rows[0]
            if conditions.intersection(HEALTH) and _health(engine, container) in conditions:
                return -1
        time.sleep(interval_seconds)
    return -1


def _health(engine: Engine, container: Container) -> str:
    from pod.engine import healthcheck

    return str(healthcheck.health_of(engine, container).get("status", ""))


def _wait_for_health(
    engine: Engine,
    container: Container,
    wanted: set[str],
    healths: list[str],
    interval_seconds: float,
) -> int:
    """As `wait_for`, for conditions that have to do with health: told by the monitor while the container runs."""
    from pod.engine import healthcheck

    if healthcheck.active(container) is None:
        raise healthcheck.NoHealthCheck(container.name)
    has_run = False
    while True:
        container, run = finish.refresh(engine, container)
        state = container.status if run is None else listing.state_of(run)
        if state in wanted:
            return container.exit_status if state == "exited" else -1
        if run is None and (has_run or container.status == "exited"):
            raise PodError(
                f"container '{container.name}' ended with status {container.exit_status} before it was "
                f"{' or '.join(healths)}",
                hint=f"pod logs {container.name}",
            )
        if run is not None and run.is_alive:
            has_run = True
            client = Client(engine, container)
            try:
                # Other states are not told, so they are looked at now and then.
                pause = interval_seconds if wanted - {"exited"} else None
                if client.wait_for_health(healths, pause):
                    return -1
            finally:
                client.close()
        else:
            time.sleep(interval_seconds)
        rows = containers.by_ids(engine.database, [container.id])
        if not rows:
            return finish.status_of_removed(engine, container)
        container = rows[0]


def parse_conditions(texts: Iterable[str]) -> tuple[str, ...]:
    """--condition: names of states. Raises InvalidValue."""
    words = tuple(text.lower() for text in texts)
    for word in words:
        if word not in CONDITIONS and word not in HEALTH:
            known = sorted((*CONDITIONS, *HEALTH))
            raise InvalidValue("--condition", word, f"one of {', '.join(known)}")
    return words
