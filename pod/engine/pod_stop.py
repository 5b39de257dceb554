"""Stop a pod, or send a signal to all of it; what happens when its containers end by themselves."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import finish, parallel, stop
from pod.engine.client import send
from pod.linux import signals
from pod.state import containers, events, pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.pods import Pod


def stop_pod(
    engine: Engine, pod: Pod, timeout_seconds: int | None = None, *, by_user: bool = True
) -> list[PodError]:
    """Stop all containers of a pod at once, and then the one that holds their namespaces; what went wrong.

    `timeout_seconds` None means each container's own.
    """
    members = pods.members(engine.database, pod.id)
    others = [one for one in members if one != pod.config.infra]

    def do(container_id: str) -> None:
        for container in containers.by_ids(engine.database, [container_id]):
            stop.stop(engine, container, timeout_seconds, by_user=by_user)

    errors = [*_each(engine, others, do)]
    if pod.config.infra:
        errors += _each(engine, [pod.config.infra], do)
    if not errors:
        engine.events.append(events.of_pod(pod, "stop"))
    return errors


def _each(engine: Engine, ids: list[str], do: object) -> list[PodError]:
    results = parallel.for_each(engine, ids, do, "stop a container")  # type: ignore[arg-type]  # returns nothing
    errors = []
    for _, result in results:
        if isinstance(result, (PodError, OSError)):
            errors.append(result if isinstance(result, PodError) else PodError(str(result)))
        elif isinstance(result, Exception):
            raise result
    return errors


def kill_pod(engine: Engine, pod: Pod, number: int) -> list[PodError]:
    """Send a signal to all containers of a pod that run; what went wrong."""
    from pod.engine.lookup import NotRunning

    errors: list[PodError] = []
    members = pods.members(engine.database, pod.id)
    for container in containers.by_ids(engine.database, members):
        try:
            stop.kill(engine, container, number)
        except NotRunning:
            continue
        except PodError as error:
            errors.append(error)
    if not errors:
        engine.events.append(events.of_pod(pod, "kill"))
    return errors


def after_end(engine: Engine, container: Container) -> None:
    """What the pod's exit policy says when one of its containers has ended and that is recorded.

    No lock but that container's is held, and none is taken: the infra container is told to end, and its own monitor
    records that it has.
    """
    if container.config.is_infra or container.config.init_kind:
        return
    pod = pods.by_id(engine.database, container.config.pod)
    if pod is None or pod.config.exit_policy != "stop" or not pod.config.infra:
        return
    infra = None
    members = pods.members(engine.database, pod.id)
    for other in containers.by_ids(engine.database, members):
        if other.config.is_infra:
            infra = other
        elif other.id != container.id and _lives(engine, other):
            return
    if infra is None or infra.status != "active":
        return
    run = finish.read_run(engine, infra)
    if run.has_processes:
        send(run, signals.SIGKILL if infra.config.image else signals.SIGTERM)
        engine.events.append(events.of_pod(pod, "stop"))


def _lives(engine: Engine, container: Container) -> bool:
    """Whether a container runs, or is being started."""
    if container.status != "active":
        return False
    run = finish.read_run(engine, container)
    if run.is_alive:
        return True
    from pod.base import locks

    return run.condition == "lost" and locks.is_held(engine.paths.container_lock(container.id))
