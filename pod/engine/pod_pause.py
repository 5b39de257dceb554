"""Stop all processes of a pod where they are, and let them go on."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import lookup, pause, pod_members
from pod.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.pods import Pod


def pause_pod(engine: Engine, pod: Pod) -> list[PodError]:
    """Pause every container of a pod that runs, the infra container last; what went wrong."""
    errors: list[PodError] = []
    for container in reversed(pod_members.of(engine, pod)):
        try:
            pause.pause(engine, container)
        except (lookup.NotRunning, lookup.Paused):
            continue
        except PodError as error:
            errors.append(error)
    if not errors:
        engine.events.append(events.of_pod(pod, "pause"))
    return errors


def unpause_pod(engine: Engine, pod: Pod) -> list[PodError]:
    """Let every paused container of a pod go on; what went wrong."""
    errors: list[PodError] = []
    for container in pod_members.of(engine, pod):
        try:
            pause.unpause(engine, container)
        except (lookup.NotRunning, pause.NotPaused):
            continue
        except PodError as error:
            errors.append(error)
    if not errors:
        engine.events.append(events.of_pod(pod, "unpause"))
    return errors
