"""Start a container that exists."""

from __future__ import annotations

from pod.base import locks
from pod.engine import finish, launch
from pod.linux import processes
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.linux.sockets import Channel
    from pod.state.containers import Container


def start(
    engine: Engine, container: Container, *, attach: bool = False, window: tuple[int, int] = (0, 0)
) -> Channel | None:
    """Start the container; None when it runs already. The caller closes the channel that it gets.

    Containers whose namespaces it joins are started first. Takes the container's lock.
    """
    for needed in containers.by_ids(engine.database, list(container.config.needs)):
        other = start(engine, needed)
        if other is not None:
            other.close()
    lock = locks.FileLock(engine.paths.container_lock(container.id))
    with lock:
        rows = containers.by_ids(engine.database, [container.id])
        if not rows:
            raise containers.NoSuchContainer(container.name)
        current = finish.settle(engine, rows[0], lock)
        if current.status == "active":
            return None
        containers.set_active(engine.database, container.id, processes.boot_id())
        return launch.launch(engine, current, attach=attach, window=window)
