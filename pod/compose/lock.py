"""One command at a time makes the containers of a project; the others wait.

What stops and removes them takes no lock: it shall also end what waits for a service that never becomes healthy.
"""

from __future__ import annotations

from pod.base import locks, log, paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine


class ProjectLock:
    """The lock of a project, while the context lasts. It comes before all other locks, and its file goes with it."""

    def __init__(self, engine: Engine, name: str) -> None:
        paths.make_private(engine.paths.locks)
        self._lock = locks.FileLock(engine.paths.project_lock(name))
        self._name = name

    def __enter__(self) -> ProjectLock:
        try:
            self._lock.acquire(wait=False)
        except locks.Busy:
            log.warning(f"another command is making project '{self._name}'; waiting for it")
            self._lock.acquire()
        return self

    @property
    def fd(self) -> int:
        """For children that work on the project: while one of them lives, the lock is held."""
        return self._lock.fd

    def __exit__(self, *_: object) -> None:
        self._lock.remove()
