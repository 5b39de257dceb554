"""The containers of a pod, and their processes."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import lookup
from pod.state import containers, pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.pods import Pod


class PodNotRunning(PodError):
    """The command needs a pod in which something runs."""

    def __init__(self, pod: Pod) -> None:
        super().__init__(
            f"nothing runs in pod '{pod.name}'",
            hint=f"pod pod start {pod.name}",
        )


def of(engine: Engine, pod: Pod) -> list[Container]:
    """The containers of a pod, its infra container first, then the oldest; rows as they are stored."""
    found = containers.by_ids(engine.database, pods.members(engine.database, pod.id))
    return sorted(found, key=lambda it: (not it.config.is_infra, it.created_ns, it.id))


def infra_of(engine: Engine, pod: Pod) -> Container | None:
    """The infra container of a pod, if it has one."""
    rows = containers.by_ids(engine.database, [pod.config.infra]) if pod.config.infra else []
    return rows[0] if rows else None


def processes(
    engine: Engine, pod: Pod, descriptors: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Headings, and a line for each process of a container that runs. Raises PodNotRunning when none does."""
    from pod.engine import top  # a start in the pod looks at no processes

    headings: list[str] = []
    lines: list[list[str]] = []
    for container in of(engine, pod):
        try:
            headings, found = top.processes(engine, container.id, descriptors)
        except lookup.NotRunning:
            continue
        lines += found
    if not headings:
        raise PodNotRunning(pod)
    return headings, lines
