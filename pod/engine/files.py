"""The files of a container, for commands that read or change them: nobody starts or removes it meanwhile."""

from __future__ import annotations

from pod.base import locks
from pod.base.errors import PodError
from pod.engine import finish, lookup
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.reconcile import Run
    from storage.root_mount import RootMount


class BeingStarted(PodError):
    """Another command is starting the container: its files are those of no stopped and no running one."""

    def __init__(self, container: Container) -> None:
        super().__init__(
            f"container '{container.name}' is being started by another command",
            hint="type the command again",
        )


class Held:
    """A container whose files are used while the context lasts.

    One that does not run is locked, so that commands that start or remove it wait; a running one is left to itself,
    and `run` says where its processes are. Raises NoSuchContainer, BeingStarted.
    """

    def __init__(self, engine: Engine, text: str) -> None:
        self._engine = engine
        self._lock: locks.FileLock | None = None
        self.run: Run | None = None
        self.container: Container = lookup.container(engine, text)

    def __enter__(self) -> Held:
        if not self._is_running(self.container):
            self._lock = locks.FileLock(self._engine.paths.container_lock(self.container.id))
            self._lock.acquire()
            try:
                self._look_again(self._lock)
            except BaseException:
                self._lock.release()
                raise
            if self.run is not None:
                self._lock.release()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._lock is not None:
            self._lock.release()
        if error is not None:
            self.explain(error)

    def explain(self, error: BaseException) -> None:
        """Raise that the container is gone when it is, which explains an error that has come of it."""
        if self.run is None or not isinstance(error, (OSError, PodError)):
            return
        if isinstance(error, BrokenPipeError):
            return
        if not containers.by_ids(self._engine.database, [self.container.id]):
            raise PodError(f"container '{self.container.name}' was removed meanwhile") from error

    def _look_again(self, lock: locks.FileLock) -> None:
        """With the lock: it may have been removed or started while we waited."""
        rows = containers.by_ids(self._engine.database, [self.container.id])
        if not rows:
            lock.remove()
            raise containers.NoSuchContainer(self.container.name)
        current = finish.settle(self._engine, rows[0], lock)
        if current.status != "active":
            if not containers.by_ids(self._engine.database, [current.id]):
                raise containers.NoSuchContainer(current.name)  # one with --rm, which had ended
            self.container = current
        elif not self._is_running(current):
            raise BeingStarted(current)

    def _is_running(self, container: Container) -> bool:
        if container.status != "active":
            return False
        run = finish.read_run(self._engine, container)
        if run.condition not in {"running", "paused"}:
            return False
        self.container, self.run = container, run
        return True

    @property
    def directory(self) -> str:
        """The container's, with what it has changed."""
        return self._engine.paths.container(self.container.id)

    def root_mount(self) -> RootMount:
        """What its root file system is made of, also for --rootfs."""
        from storage.root_mount import RootMount

        if self.container.config.rootfs:
            return RootMount(kind="directory", path=self.container.config.rootfs)
        return self._engine.rootfs.describe(self.directory)
