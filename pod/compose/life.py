"""The containers of a project that exist: started, stopped, restarted, killed, paused; in order, or side by side."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.compose import down, identity, making, ready, schedule
from pod.compose.project import dependencies
from pod.compose.snapshot import check_restored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pod.compose.members import Member
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.engine.context import Engine
    from pod.state.containers import Container

CONCERNS: dict[str, Callable[[Member], bool]] = {
    "start": lambda member: not member.is_running,
    "kill": lambda member: member.is_running,
    "pause": lambda member: member.state == "running",
    "unpause": lambda member: member.state == "paused",
}
"""Whether a container is such that a command has something to do with it."""


def start(
    engine: Engine, project: Project | None, found: Sequence[Member], tell: Tell
) -> list[PodError]:
    """Start those that do not run, in the order of their services' dependencies; what could not be, as errors."""
    waiting: dict[str, list[Member]] = {}
    for name in {member.labels[identity.PROJECT] for member in found}:
        check_restored(engine, name)
    for member in found:
        if CONCERNS["start"](member):
            waiting.setdefault(member.service, []).append(member)

    def task(name: str, members: list[Member]) -> Callable[[], None]:
        def run() -> None:
            known = None if project is None or name not in project.services else project
            if known is not None:
                ready.await_dependencies(engine, known, name)
            for member in members:
                for row in _rows(engine, member):
                    making.start(engine, known, name, row)
                    tell("Container", member.name, "Started")

        return run

    needs: dict[str, list[str]] = {}
    if project is not None:
        for name in waiting:
            if name in project.services:
                needs[name] = list(dependencies(project.services[name]))
    tasks = {name: task(name, members) for name, members in waiting.items()}
    return _errors(schedule.run(engine, tasks, needs, "start a service"))


def restart(
    engine: Engine,
    project: Project | None,
    found: Sequence[Member],
    tell: Tell,
    timeout_seconds: int | None = None,
) -> list[PodError]:
    """Stop them, dependent services first, and start them, dependent services last."""
    from pod.compose import members

    errors = down.stop_in_order(engine, project, found, tell, timeout_seconds)
    ids = {member.id for member in found}
    now = [
        member
        for member in members.of_project(engine, found[0].labels[identity.PROJECT])
        if member.id in ids
    ] if found else []  # fmt: skip
    return errors + start(engine, project, now, tell)


def kill(engine: Engine, found: Sequence[Member], number: int, tell: Tell) -> list[PodError]:
    """Send a signal to those that run."""
    from pod.engine import stop

    return _each(engine, found, lambda row: stop.kill(engine, row, number), "Killed", "kill", tell)


def pause(engine: Engine, found: Sequence[Member], tell: Tell) -> list[PodError]:
    """Stop the processes of those that run where they are."""
    from pod.engine import pause as pausing

    return _each(engine, found, lambda row: pausing.pause(engine, row), "Paused", "pause", tell)


def unpause(engine: Engine, found: Sequence[Member], tell: Tell) -> list[PodError]:
    """Let those go on that are paused."""
    from pod.engine import pause as pausing

    return _each(
        engine, found, lambda row: pausing.unpause(engine, row), "Unpaused", "unpause", tell
    )


def _each(
    engine: Engine,
    found: Sequence[Member],
    action: Callable[[Container], Any],
    state: str,
    verb: str,
    tell: Tell,
) -> list[PodError]:
    def task(member: Member) -> Callable[[], None]:
        def run() -> None:
            for row in _rows(engine, member):
                action(row)
                tell("Container", member.name, state)

        return run

    tasks = {member.id: task(member) for member in found if CONCERNS[verb](member)}
    return _errors(schedule.run(engine, tasks, {}, f"{verb} a container"))


def _rows(engine: Engine, member: Member) -> list[Container]:
    from pod.state import containers

    return containers.by_ids(engine.database, [member.id])


def _errors(results: dict[str, Any]) -> list[PodError]:
    for result in results.values():
        if isinstance(result, Exception) and not isinstance(result, (PodError, schedule.Skipped)):
            raise result
    return [result for result in results.values() if isinstance(result, PodError)]
