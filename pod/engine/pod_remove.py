"""Remove a pod with all of its containers; those that others need after those others, the infra container last."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import finish, order, parallel
from pod.engine import remove as container_removal
from pod.state import containers, events, pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.pods import Pod

_ROUNDS = 5  # somebody may be making containers in it meanwhile


class PodRuns(PodError):
    """A pod with running containers is only removed when that is asked for."""

    def __init__(self, pod: Pod, names: list[str]) -> None:
        super().__init__(
            f"pod '{pod.name}' has containers that run: {', '.join(names)}",
            hint=f"pod pod stop {pod.name}, or pod pod rm --force {pod.name}",
        )


def remove(
    engine: Engine, pod: Pod, *, force: bool = False, timeout_seconds: int | None = None
) -> list[str]:
    """Remove the pod; the ids of the containers that went with it. One that is gone already is fine.

    With `force` what runs is stopped. Without it nothing is done when something runs but the infra container: raises
    PodRuns.
    """
    removed: list[str] = []
    for attempt in range(_ROUNDS):
        members = pods.members(engine.database, pod.id)
        if not force:
            _check_nothing_runs(engine, pod, members)
        others = [one for one in members if one != pod.config.infra]
        for group in order.waves(engine, others):
            removed += _remove_all(engine, group, force=force, timeout_seconds=timeout_seconds)
        try:
            if not pod.config.infra:
                pods.remove(engine.database, pod.id)
            elif pod.config.infra in members:
                (infra,) = containers.by_ids(engine.database, [pod.config.infra]) or (None,)
                if infra is not None:
                    container_removal.remove(
                        engine, infra, force=True, with_volumes=True, is_pod=True, timeout_seconds=0
                    )
                    removed.append(infra.id)
        except (containers.StillNeeded, pods.PodInUse):
            if attempt == _ROUNDS - 1:
                raise
            continue
        engine.events.append(events.of_pod(pod, "remove"))
        return removed
    return removed


def _check_nothing_runs(engine: Engine, pod: Pod, members: list[str]) -> None:
    running = []
    for container in containers.by_ids(engine.database, members):
        _, run = finish.refresh(engine, container)
        if run is not None and run.is_alive and not container.config.is_infra:
            running.append(container.name)
    if running:
        raise PodRuns(pod, sorted(running))


def _remove_all(
    engine: Engine, ids: list[str], *, force: bool, timeout_seconds: int | None
) -> list[str]:
    def do(container_id: str) -> str | None:
        for container in containers.by_ids(engine.database, [container_id]):
            container_removal.remove(
                engine,
                container,
                force=force,
                with_volumes=True,
                with_dependents=force,
                timeout_seconds=timeout_seconds,
            )
            return container_id
        return None

    removed = []
    for _, result in parallel.for_each(engine, ids, do, "remove a container"):
        if isinstance(result, Exception):
            raise result
        if result:
            removed.append(result)
    return removed


def prune(engine: Engine) -> list[Pod]:
    """Remove all pods whose containers have ended; those that were removed."""
    from pod.engine import pod_list

    removed = []
    for it in pod_list.all_pods(engine):
        if it.state in {"Exited", "Stopped"}:
            try:
                remove(engine, it.pod)
            except (PodRuns, containers.StillNeeded):
                continue  # it has just been started, or containers outside use its volumes
            removed.append(it.pod)
    return removed
