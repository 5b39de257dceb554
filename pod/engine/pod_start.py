"""Start a pod: its infra container, then its init containers one after the other, then the others."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import pod_members, remove, start, wait
from pod.state import containers, events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.pods import Pod


class InitFailed(PodError):
    """The others are not started then."""

    def __init__(self, container: Container, status: int) -> None:
        super().__init__(
            f"init container '{container.name}' has ended with status {status}",
            hint=f"pod logs {container.name}",
        )


def start_pod(engine: Engine, pod: Pod) -> list[PodError]:
    """Start all containers of a pod that do not run; the errors of those that could not be started.

    Raises InitFailed, and what keeps the infra container from starting.
    """
    found = pod_members.of(engine, pod)
    usual = []
    for container in found:
        if container.config.is_infra:
            _start(engine, container)
        elif not container.config.init_kind:
            usual.append(container)
    if not any(it.status == "active" for it in usual):
        for container in found:
            if container.config.init_kind:
                _run_first(engine, container)
    errors = []
    for container in usual:
        try:
            _start(engine, container)
        except PodError as error:
            errors.append(error)
    if not errors:
        engine.events.append(events.of_pod(pod, "start"))
    return errors


def _start(engine: Engine, container: Container) -> None:
    channel = start.start(engine, container)
    if channel is not None:
        channel.close()


def _run_first(engine: Engine, container: Container) -> None:
    """Run an init container to its end; one that is for once goes then."""
    _start(engine, container)
    rows = containers.by_ids(engine.database, [container.id])
    status = wait.wait(engine, rows[0]) if rows else 0
    if status != 0:
        raise InitFailed(container, status)
    if container.config.init_kind == "once":
        remove.remove(engine, container)
