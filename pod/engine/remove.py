"""Remove a container: row first, files last, so that a crash leaves garbage and never a row that points at nothing."""

from __future__ import annotations

from pod.base import faults, ids, locks, log
from pod.base.errors import PodError
from pod.engine import finish
from pod.state import containers, events
from storage import small

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container


class StillRunning(PodError):
    """A running container is only removed when that is asked for."""

    def __init__(self, container: Container, condition: str) -> None:
        state = "paused" if condition == "paused" else "running"
        super().__init__(
            f"container '{container.name}' ({ids.short(container.id)}) is {state}",
            hint=f"pod stop {container.name}, or pod rm --force {container.name}",
        )


class InfraContainer(PodError):
    """The container that holds the namespaces of a pod."""

    def __init__(self, engine: Engine, container: Container) -> None:
        from pod.state import pods

        pod = pods.by_id(engine.database, container.config.pod)
        name = container.config.pod if pod is None else pod.name
        super().__init__(
            f"container '{container.name}' is the infra container of pod '{name}' and goes with it only",
            hint=f"pod pod rm {name}",
        )


def remove(
    engine: Engine,
    container: Container,
    *,
    force: bool = False,
    with_volumes: bool = False,
    with_dependents: bool = False,
    with_image: bool = False,
    timeout_seconds: int | None = None,
    is_pod: bool = False,
) -> list[str]:
    """Remove the container; the names of what was removed, dependents first. One that is gone already is fine.

    `force` stops it first, `with_volumes` removes its anonymous volumes, `with_dependents` the containers that need it,
    `with_image` its image when nothing else uses it. An infra container goes with its pod only: `is_pod`.
    """
    if container.config.is_infra and not is_pod:
        raise InfraContainer(engine, container)
    removed: list[str] = []
    if with_dependents:
        for other in containers.needing(engine.database, container.id):
            removed += remove(
                engine,
                other,
                force=True,
                with_volumes=with_volumes,
                with_dependents=True,
                timeout_seconds=timeout_seconds,
            )
    lock = locks.FileLock(engine.paths.container_lock(container.id))
    with lock:
        rows = containers.by_ids(engine.database, [container.id])
        if not rows:
            lock.remove()
            return removed
        current = finish.settle(engine, rows[0], lock)
        if current.status == "active":
            condition = finish.read_run(engine, current).condition
            if not force and condition != "held":
                raise StillRunning(current, condition)
            from pod.engine import stop

            stop.stop_locked(engine, current, lock, timeout_seconds)
        if with_image:
            current = current.replace(config=current.config.replace(remove_image=True))
        remove_settled(engine, current, lock, with_volumes=with_volumes)
    return [*removed, container.name]


def remove_settled(
    engine: Engine, container: Container, lock: locks.FileLock, *, with_volumes: bool
) -> None:
    """Remove a container that does not run; the caller holds its lock, whose file goes too."""
    doomed = container.config.anonymous_volumes if with_volumes else ()
    removal = None
    if doomed:
        from pod.engine import volumes

        removal = volumes.Removal(engine, doomed)
    try:
        if containers.remove(engine.database, container, volumes=doomed):
            engine.events.append(events.of_container(container, "remove"))
        faults.step("remove: row")
    finally:
        if removal is not None:
            removal.finish()
    if container.image_id:
        last = max(container.created_ns, container.started_ns, container.finished_ns)
        engine.store.images.note_use(container.image_id, last)
    finish.remove_run_directory(engine, container.id)
    if container.config.pod:
        from pod.engine import pod_names

        pod_names.forget(engine, container)
        pod_names.tell_networks(engine, container)
    small.remove_container(engine.store.staging, engine.paths.container(container.id))
    faults.step("remove: files")
    lock.remove()
    if container.config.remove_image and container.image_id:
        _remove_image(engine, container)


def _remove_image(engine: Engine, container: Container) -> None:
    """What --rmi asked for; an image that others use stays."""
    from pod.engine import images

    try:
        images.remove(engine, container.image_id, force=False)
    except PodError as error:
        log.debug(f"--rmi: {error}")
