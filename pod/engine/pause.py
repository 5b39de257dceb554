"""Stop all processes of a container where they are, and let them go on: `pod pause`, `pod unpause`.

The container's cgroup is frozen (cgroups(7), cgroup.freeze). Without a cgroup of its own every process gets SIGSTOP,
which a process cannot refuse, and later SIGCONT: that continues also what had been stopped inside, by job control.
A file in the run directory says which run is paused, so that commands need not ask the kernel for each container. Where
a command pauses a container only for as long as it works on it, it says which process that is, too: what it leaves
paused when it is killed goes on with the next command (`tidy.py`).
"""

from __future__ import annotations

import os
import time

from pod.base import faults, files, locks, log
from pod.base.errors import PodError
from pod.engine import lookup
from pod.linux import cgroups, processes, signals
from pod.spec.bundle import is_own
from pod.spec.monitor import PAUSED_FILE
from pod.state import containers, events, reconcile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.reconcile import Run

_SECONDS = faults.seconds(
    "FREEZE", 10.0
)  # a process in uninterruptible sleep is not frozen before it wakes up
_LOOK_SECONDS = 0.002


class NotPaused(PodError):
    """Only a paused container can go on."""

    def __init__(self, container: Container, condition: str) -> None:
        super().__init__(f"container '{container.name}' is not paused (it is {condition})")


def pause(engine: Engine, container: Container, *, until_we_end: bool = False) -> None:
    """Stop all processes of a running container. Raises NotRunning, Paused. Takes the container's lock.

    With `until_we_end`, the caller will unpause it; if it does not live to do so, the next command does.
    """
    with locks.FileLock(engine.paths.container_lock(container.id)):
        container, run = lookup.running(engine, container.id)
        _check(container, run)
        path = f"{engine.paths.run(container.id)}/{PAUSED_FILE}"
        # First the file: a container that is said to be paused and is not can be unpaused, the other could not.
        note: dict[str, Any] = {"pid": run.pid, "pid_started": run.state["pid_started"]}
        if until_we_end:
            note["by"] = [os.getpid(), processes.start_time(os.getpid())]
        files.write_json(path, note, sync=False)
        faults.step("pause: said")
        with lookup.WhileItRuns(container, run):
            try:
                _freeze(container, run)
            except BaseException:
                _let_go(container, run)
                os.unlink(path)
                raise
    engine.events.append(events.of_container(container, "pause"))


def unpause(engine: Engine, container: Container) -> None:
    """Let the processes of a paused container go on. Raises NotRunning, NotPaused. Takes the container's lock."""
    with locks.FileLock(engine.paths.container_lock(container.id)):
        container, run = lookup.running(engine, container.id, paused=True)
        if run.condition != "paused":
            raise NotPaused(container, run.condition)
        with lookup.WhileItRuns(container, run):
            thaw(engine, container, run)


def thaw(engine: Engine, container: Container, run: Run) -> None:
    """As `unpause`, for a caller that holds the lock and knows the run."""
    _let_go(container, run)
    faults.step("unpause: thawed")
    engine.events.append(events.of_container(container, "unpause"))
    try:
        os.unlink(f"{engine.paths.run(container.id)}/{PAUSED_FILE}")
    except FileNotFoundError:
        return  # it has just ended


def unpause_for_killed(engine: Engine, container_id: str) -> None:
    """Let a container go on that was paused by a command that was killed before it had done so."""
    if not _was_killed(engine, container_id):
        return
    lock = locks.FileLock(engine.paths.container_lock(container_id))
    try:
        lock.acquire(wait=False)
    except locks.Busy:
        return
    try:
        for container in containers.by_ids(engine.database, [container_id]):
            run = reconcile.read_run(engine.paths.run(container_id))
            if run.condition == "paused" and _was_killed(engine, container_id):
                thaw(engine, container, run)
                log.warning(
                    f"container '{container.name}' goes on: the command that had paused it was killed"
                )
    finally:
        lock.release()


def _was_killed(engine: Engine, container_id: str) -> bool:
    try:
        note = files.read_json(f"{engine.paths.run(container_id)}/{PAUSED_FILE}")
    except FileNotFoundError:
        return False
    return "by" in note and processes.start_time(note["by"][0]) != note["by"][1]


def _check(container: Container, run: Run) -> None:
    if not run.state.get("cgroup") and not is_own(container.config.pid):
        raise PodError(
            f"container '{container.name}' cannot be paused: it has neither a cgroup nor a PID namespace of its own",
            hint="leave --pid out, or run it where a cgroup is delegated to you",
        )


def _freeze(container: Container, run: Run) -> None:
    cgroup = run.state.get("cgroup")
    deadline = time.monotonic() + _SECONDS
    if cgroup:
        cgroups.freeze(cgroup, frozen=True)
        if cgroups.wait_until_frozen(cgroup, _SECONDS):
            return
    else:
        while _stop_all(container, run):
            if time.monotonic() > deadline:
                break
            time.sleep(_LOOK_SECONDS)
        else:
            return
    raise PodError(
        f"container '{container.name}' cannot be paused: a process of it does not stop",
        hint=f"see what it waits for: pod top {container.name} hpid state args",
    )


def _stop_all(container: Container, run: Run) -> int:
    """Tell every process to stop; how many had not yet, which may have made others meanwhile."""
    from pod.engine import members

    running = [pid for pid in members.members(container, run) if not members.has_stopped(pid)]
    for pid in running:
        _signal(pid, signals.SIGSTOP)
    return len(running)


def _let_go(container: Container, run: Run) -> None:
    cgroup = run.state.get("cgroup")
    if cgroup:
        try:
            cgroups.freeze(cgroup, frozen=False)
        except FileNotFoundError:
            return  # it has just ended
        cgroups.wait_until_frozen(cgroup, _SECONDS, frozen=False)
        return
    from pod.engine import members

    for pid in members.members(container, run):
        _signal(pid, signals.SIGCONT)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
