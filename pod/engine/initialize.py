"""`pod init`: the first half of a start. Everything of the container is there, its command does not run yet."""

from __future__ import annotations

from pod.base import locks
from pod.base.errors import PodError
from pod.engine import finish, launch, start
from pod.engine import list as listing
from pod.linux.boot import boot_id
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container


class AlreadyThere(PodError):
    """Only a container without processes can be initialized."""

    def __init__(self, container: Container, state: str) -> None:
        super().__init__(f"container '{container.name}' cannot be initialized: it is {state}")


def initialize(engine: Engine, container: Container) -> None:
    """Start the container up to the last step before its command; `start.start` goes on from there.

    What it needs is started first. Takes the container's lock. Raises AlreadyThere.
    """
    start.start_needed(engine, container.config)
    lock = locks.FileLock(engine.paths.container_lock(container.id))
    with lock:
        current = finish.current(engine, container, lock)
        if current.status == "active":
            state = listing.state_of(finish.read_run(engine, current))
            raise AlreadyThere(current, state)
        containers.set_active(engine.database, container.id, boot_id())
        launch.launch(engine, current, attach=False, held=True).close()
