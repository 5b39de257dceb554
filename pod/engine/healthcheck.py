"""Health checks as people call them: check now, show the health, change how it is checked."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import lookup
from pod.spec import monitor
from pod.spec.health import HealthConfig
from pod.state import events
from pod.state import health as records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.bundle import Facts
    from pod.state.containers import Container


class NoHealthCheck(PodError):
    """The container has nothing to check."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"container '{name}' has no health check", hint="pod run --health-cmd COMMAND IMAGE"
        )


def run(engine: Engine, name: str) -> tuple[str, bool]:
    """Check the health of a container now: its status afterwards, and whether the check succeeded.

    Raises NoHealthCheck, NotRunning, Paused.
    """
    from pod.engine import facts as host_facts
    from pod.engine import health
    from pod.engine.client import Client

    container, run = lookup.running(engine, name)
    config = active(container)
    if config is None:
        raise NoHealthCheck(container.name)
    facts, placement = host_facts.collect(engine, container, {}, (0, 0), starts=False, joins=False)
    with lookup.WhileItRuns(container, run):
        checked = health.check(_check_order(engine, container, config, facts, placement.path))
        if checked is None:
            lookup.running(engine, container.id)
            raise PodError(f"container '{container.name}' ended or was restarted during the check")
    client = Client(engine, container)
    client.send(monitor.CHECKED, checked.verdict)
    client.close()
    return checked.health["status"], checked.succeeded


def active(container: Container) -> HealthConfig | None:
    """How the container's health is checked; None when it is not."""
    config = container.config.health
    return config if config is not None and config.is_active else None


def order(engine: Engine, container: Container, facts: Facts, cgroup: str) -> dict[str, Any] | None:
    """What a monitor is told of health checks, see monitor/health.py; None when there are none."""
    config = active(container)
    if config is None:
        return None
    return {
        "settings": config.to_json(),
        "saved": engine.paths.container(container.id),
        "stop_signal": container.config.stop_signal or "SIGTERM",
        "stop_timeout": container.config.stop_timeout,
        "check": _check_order(engine, container, config, facts, cgroup),
    }


def _check_order(
    engine: Engine, container: Container, config: HealthConfig, facts: Facts, cgroup: str
) -> dict[str, Any]:
    from pod.engine.exec import ExecOptions, join_order

    return {
        "id": container.id,
        "run_directory": engine.paths.run(container.id),
        "config": config.to_json(),
        "join": join_order(engine, container, facts, ExecOptions(arguments=())),
        "cgroup": cgroup,
        "events": events.for_order(engine.events, container),
    }


def health_of(engine: Engine, container: Container) -> dict[str, Any]:
    """The recorded health of a container that runs or has run; {} when there is none."""
    if container.config.health is None:
        return {}
    return records.read(engine.paths.run(container.id)) or records.read(
        engine.paths.container(container.id)
    )
