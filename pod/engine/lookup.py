"""Which containers a command means: names, ids, all, the latest, those that filters select."""

from __future__ import annotations

from pod.base import exits
from pod.base.errors import PodError, UsageError
from pod.engine import finish
from pod.linux import processes
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.reconcile import Run


_END_SECONDS = 0.2


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


class Ended(PodError):
    """The container ran when it was looked at, and had ended when it was needed."""

    def __init__(self, container: Container) -> None:
        super().__init__(
            f"container '{container.name}' ended at this moment", hint="type the command again"
        )


class WhileItRuns:
    """A context in which a container that runs is worked with: Ended says what any failure comes from once it does not.

    The kernel has many words for a process that has gone: ENOENT, ESRCH, EPIPE, and EACCES of its files in /proc.
    """

    def __init__(self, container: Container, run: Run) -> None:
        self._container = container
        self._run = run

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if may_be_of_an_end(error):
            from pod.runtime.protocol import Disconnected

            # What a process inside has found wrong, such as an unknown user, is told at once.
            seconds = _END_SECONDS if isinstance(error, (OSError, Disconnected)) else 0
            if _ends(self._run, seconds):
                raise Ended(self._container) from error


def is_alive(run: Run) -> bool:
    """Whether process 1 of the container has not ended yet, which its monitor may not know."""
    return processes.is_alive(run.pid, run.state["pid_started"])


def may_be_of_an_end(error: BaseException | None) -> bool:
    """Whether the error can come from the end of a container; that a command is not there, for example, does not."""
    return isinstance(error, OSError) or (
        isinstance(error, PodError)
        and error.exit_status not in {exits.NOT_EXECUTABLE, exits.NOT_FOUND}
    )


def _ends(run: Run, timeout_seconds: float) -> bool:
    """Whether it has ended, or is about to: process 1 goes last, some time after what it was needed for."""
    pid, started = run.pid, run.state["pid_started"]
    return processes.wait_until_gone(pid, started, timeout_seconds=timeout_seconds) or (
        processes.is_exiting(pid, started) and processes.wait_until_gone(pid, started)
    )


def ended_owner(engine: Engine, container: Container) -> PodError | None:
    """What is to be said of a start that failed, if a container whose namespaces it joins has ended meanwhile."""
    for owner in containers.by_ids(engine.database, list(container.config.joined)):
        found, run = finish.refresh(engine, owner)
        if run is None or not run.has_processes or _ends(run, _END_SECONDS):
            return PodError(
                f"container '{container.name}' cannot be started: '{found.name}', whose namespaces it joins, ended "
                "at this moment",
                hint="type the command again, which starts it first",
            )
    return None


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
