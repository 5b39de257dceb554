"""Waiting for the services of a project: before those that depend on them are started, and for `--wait`."""

from __future__ import annotations

import time

from pod.base.errors import PodError
from pod.compose import members
from pod.compose.errors import ComposeError
from pod.compose.making import row_of
from pod.compose.project import dependencies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.compose.members import Member
    from pod.compose.project import Project
    from pod.engine.context import Engine
    from pod.state.containers import Container

_POLL_SECONDS = 0.1


class DependencyFailed(ComposeError):
    """What a service waits for has not come about."""

    exit_status = 1


class NotReady(ComposeError):
    """`--wait`: a service did not become what was waited for."""

    exit_status = 1


def await_dependencies(engine: Engine, project: Project, name: str) -> None:
    """Wait until what a service depends on is as it says. Raises DependencyFailed."""
    for other, how in dependencies(project.services[name]).items():
        if other not in project.services:
            continue
        try:
            for member in members.of_project(engine, project.name):
                if member.service == other:
                    _await(engine, row_of(engine, member), str(how["condition"]))
        except PodError as error:
            if how.get("required", True) in {True, "true"}:
                raise DependencyFailed(
                    f"it depends on service '{other}': {error.message}", hint=error.hint
                ) from error
            from pod.base import log

            log.warning(f"service '{name}' goes on without service '{other}': {error.message}")


def _await(engine: Engine, container: Container, condition: str) -> None:
    from pod.engine import wait

    if condition == "service_healthy":
        wait.wait_for(engine, container, ("healthy", "unhealthy"), _POLL_SECONDS)
        _check_healthy(engine, container)
    elif condition == "service_completed_successfully":
        status = wait.wait(engine, container)
        if status:
            raise PodError(
                f"container '{container.name}' ended with status {status}",
                hint=f"pod logs {container.name}",
            )


def _check_healthy(engine: Engine, container: Container) -> None:
    from pod.engine import healthcheck

    health = healthcheck.health_of(engine, container)
    if health.get("status") == "unhealthy":
        raise PodError(
            f"container '{container.name}' is unhealthy{last_output(health)}",
            hint=f"pod logs {container.name}",
        )


def last_output(health: dict[str, Any]) -> str:
    """What the last check has said, as the end of a sentence."""
    log = health.get("log") or []
    text = " ".join(str(log[-1].get("Output", "")).split()) if log else ""
    return f"; its last check said: {text}" if text else ""


def wait_until_ready(
    engine: Engine, project: Project, services: Sequence[str], timeout_seconds: float | None
) -> None:
    """Wait until every container of these services is healthy, or runs where it has no check. Raises NotReady."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    finishing = {
        other
        for service in project.services.values()
        for other, how in dependencies(service).items()
        if how["condition"] == "service_completed_successfully"
    }
    while True:
        waiting = ""
        for member in members.of_project(engine, project.name):
            if member.service not in services:
                continue
            if said := _lacks(engine, member, may_end=member.service in finishing):
                waiting = said
        if not waiting:
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise NotReady(
                f"after {timeout_seconds:g} s {waiting}", hint="pod compose ps, pod compose logs"
            )
        time.sleep(_POLL_SECONDS)


def _lacks(engine: Engine, member: Member, *, may_end: bool) -> str:
    """What a container is still waited for, "" for nothing. Raises NotReady for what will not become ready.

    One that `may_end` is one whose end others wait for.
    """
    if not member.is_running:
        status = exit_status_of(engine, member)
        if may_end and not status:
            return ""
        raise NotReady(
            f"container '{member.name}' of service '{member.service}' ended with status {status}",
            hint=f"pod logs {member.name}",
        )
    if may_end:
        return f"container '{member.name}' has not ended yet"
    health = member.listed.health
    if member.state != "running":
        return f"container '{member.name}' is {member.state}"
    if health == "unhealthy":
        from pod.engine import healthcheck

        found = healthcheck.health_of(engine, row_of(engine, member))
        raise NotReady(
            f"container '{member.name}' of service '{member.service}' is unhealthy{last_output(found)}",
            hint=f"pod logs {member.name}",
        )
    return (
        f"container '{member.name}' is not healthy yet ({health})" if health == "starting" else ""
    )


def exit_status_of(engine: Engine, member: Member) -> int:
    """How a container has ended, also when that has not been recorded yet."""
    from pod.engine import wait

    return wait.wait(engine, row_of(engine, member))
