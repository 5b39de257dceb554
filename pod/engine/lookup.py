"""Which containers a command means: names, ids, all, the latest, those that filters select."""

from __future__ import annotations

from pod.base.errors import PodError, UsageError
from pod.engine import finish
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.reconcile import Run


class Failures(PodError):
    """Some of several objects could not be dealt with; each has been reported."""


def container(engine: Engine, text: str) -> Container:
    """The container with this name or id, its row made true first."""
    return finish.refresh(engine, containers.find(engine.database, text))[0]


def running(engine: Engine, text: str, *, paused: bool = False) -> tuple[Container, Run]:
    """The container and its run. Raises NotRunning, and Paused unless a `paused` one will do."""
    found, run = finish.refresh(engine, containers.find(engine.database, text))
    if run is None or not run.has_processes:
        raise NotRunning(found, run)
    if run.condition == "paused" and not paused:
        raise Paused(found)
    return found, run


class NotRunning(PodError):
    """The command needs a running container."""

    def __init__(self, found: Container, run: Run | None = None) -> None:
        state = found.status
        if run is not None:
            from pod.engine.list import state_of

            state = state_of(run)
        super().__init__(
            f"container '{found.name}' is not running (it is {state})",
            hint=f"pod start {found.name}",
        )


class Paused(PodError):
    """The command needs a container whose processes run."""

    def __init__(self, found: Container) -> None:
        super().__init__(f"container '{found.name}' is paused", hint=f"pod unpause {found.name}")


def selected(
    engine: Engine, names: Iterable[str], *, everything: bool = False, latest: bool = False
) -> list[Container]:
    """The containers that a command line means by its names, `--all` or `--latest`; rows as they are stored."""
    names = list(names)
    if sum((bool(names), everything, latest)) > 1:
        raise UsageError("names, --all and --latest exclude one another")
    if everything:
        return containers.all_of(engine.database)
    if latest:
        return [containers.latest(engine.database)]
    return [containers.find(engine.database, name) for name in names]


def for_each(
    names: Iterable[str],
    action: Callable[[str], str],
    done: Callable[[str], None],
    failed: Callable[[PodError], None],
) -> int:
    """Try `action` on every name; tell `done` each result and `failed` each error. The worst exit status."""
    status = 0
    for name in names:
        try:
            done(action(name))
        except PodError as error:
            failed(error)
            status = max(status, error.exit_status)
    return status
