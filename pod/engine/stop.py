"""Stop a container: its stop signal, then SIGKILL; its end is recorded when this returns."""

from __future__ import annotations

import os

from pod.base import faults, locks
from pod.base.errors import PodError
from pod.engine import finish
from pod.engine.client import Client, kill_run, send
from pod.linux import signals
from pod.spec import monitor
from pod.state import containers, events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.reconcile import Run

_KILL_SECONDS = faults.seconds("KILL", 20.0)
_NOTE_SECONDS = (
    10.0  # that a monitor may need to answer: it may just be starting the container again
)


class CannotKill(PodError):
    """A process survives SIGKILL, as one in uninterruptible sleep does, or it waits for one that has ended.

    Process 1 goes last, when every other process of its PID namespace has been collected (pid_namespaces(7)). Those
    that `exec -d` has brought in are for the init of the machine to collect; in a container it may be any program.
    """

    def __init__(self, container: Container, run: Run) -> None:
        ended, parent = _uncollected(run.state.get("cgroup") or "")
        if ended:
            super().__init__(
                f"container '{container.name}' does not end: its process {ended} has ended, and its parent, "
                f"process {parent}, does not collect it",
                hint=f"have an init as process {parent}, such as tini or catatonit; "
                "where pod itself runs in a container: --init",
            )
        else:
            super().__init__(
                f"container '{container.name}' does not end after SIGKILL (process {run.pid})",
                hint=f"see what it waits for: cat /proc/{run.pid}/stack /proc/{run.pid}/wchan",
            )


def _uncollected(cgroup: str) -> tuple[int, int]:
    """A process of the group that has ended and that its parent has not collected, and that parent; (0, 0) for none."""
    group = cgroup.removeprefix("/sys/fs/cgroup")
    for name in os.listdir("/proc") if group else ():
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
            with open(f"/proc/{name}/cgroup", encoding="utf-8", errors="replace") as file:
                place = file.read().rpartition("0::")[2].rstrip("\n").removesuffix(" (deleted)")
        except OSError:
            continue  # it has gone, or is no process
        if state == b"Z" and (place == group or place.startswith(f"{group}/")):
            return int(name), int(parent)
    return 0, 0


def stop(
    engine: Engine,
    container: Container,
    timeout_seconds: int | None = None,
    *,
    by_user: bool = True,
    signal: int = 0,
) -> bool:
    """Stop the container; False when it was not running. `timeout_seconds` None means the container's own.

    `signal` is what asks it to end, 0 for its own stop signal.

    One that was not stopped `by_user` starts again at boot if its policy is unless-stopped. Takes the container's lock.
    """
    lock = locks.FileLock(engine.paths.container_lock(container.id))
    with lock:
        rows = containers.by_ids(engine.database, [container.id])
        if not rows:
            lock.remove()  # it is gone, and taking the lock made its file again
            return False
        return stop_locked(engine, rows[0], lock, timeout_seconds, by_user=by_user, signal=signal)


def stop_locked(
    engine: Engine,
    container: Container,
    lock: locks.FileLock,
    timeout_seconds: int | None = None,
    *,
    by_user: bool = True,
    signal: int = 0,
) -> bool:
    """As `stop`, for a caller that holds the lock and has the row as it is under it."""
    container = finish.settle(engine, container, lock)
    if container.status != "active":
        return False
    config = container.config
    timeout = config.stop_timeout if timeout_seconds is None else timeout_seconds
    if by_user:
        containers.set_outcome(engine.database, container.id, {"stopped_by_user": True})
    faults.step("stop: said")
    client = Client(engine, container)
    try:
        client.send(monitor.FINISHING)
        client.stop_restarts(_NOTE_SECONDS)
        run = finish.read_run(engine, container)
        if run.condition == "held":
            timeout = 0  # there is no command yet that could be asked
        if timeout != 0:
            send(run, signal or signals.parse(config.stop_signal or "SIGTERM"))
            faults.step("stop: signalled")
            if run.condition == "paused":
                from pod.engine import pause

                pause.thaw(engine, container, run)  # so that it can take the signal
        if timeout == 0 or not client.wait_for_exit(timeout if timeout > 0 else None):
            kill_run(run)
            if not client.wait_for_exit(_KILL_SECONDS):
                raise CannotKill(container, run)
        faults.step("stop: ended")
        row = containers.by_ids(engine.database, [container.id])[0]
        finish.settle(engine, row, lock)
        client.send(monitor.FINISHED)
        engine.events.append(events.of_container(container, "stop"))
    finally:
        client.close()
    return True


def kill(engine: Engine, container: Container, number: int) -> None:
    """Send a signal to process 1 of a running container. Raises NotRunning.

    SIGKILL ends the restart policy, too, also while it waits to start the container again.
    """
    from pod.engine import lookup

    container, run = finish.refresh(engine, container)
    is_waiting = run is not None and run.condition == "restarting" and number == signals.SIGKILL
    if run is None or not (run.has_processes or is_waiting):
        raise lookup.NotRunning(container, run)
    if number == signals.SIGKILL:
        # One that ends while its monitor is told is not started again, which is what was asked for.
        is_waiting = is_waiting or container.config.restart.name != "no"
        containers.set_outcome(engine.database, container.id, {"stopped_by_user": True})
        client = Client(engine, container)
        client.stop_restarts(_NOTE_SECONDS)
        client.close()
        run = finish.read_run(engine, container)
    if not send(run, number) and not is_waiting:
        raise lookup.NotRunning(container.replace(status="exited"))
    engine.events.append(events.of_container(container, "kill", signal=str(number)))
