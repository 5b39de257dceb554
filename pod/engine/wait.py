"""Wait for the end of containers."""

from __future__ import annotations

from pod.engine import finish
from pod.engine.client import Client
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container


def wait(engine: Engine, container: Container) -> int:
    """Wait until the container does not run; its exit status. One that never ran gives 0."""
    while True:
        container, run = finish.refresh(engine, container)
        if run is None:
            return container.exit_status
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
