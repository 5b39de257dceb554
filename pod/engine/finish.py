"""What happens once when a container has ended: its end goes into the database, its run directory away.

Whoever finds the end first does it, under the container's lock: the command that waited, the monitor, or the next
command that looks. Doing it twice does no harm.
"""

from __future__ import annotations

import errno
import os
import time

from pod.base import faults, locks, log
from pod.linux import processes
from pod.linux.boot import boot_id
from pod.spec import monitor
from pod.state import containers, reconcile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.state.containers import Container

_TRIES, _TRY_SECONDS = 50, 0.01
LOST_STATUS = 137  # as after SIGKILL: nobody saw how it ended


def after_monitor(settings: dict[str, Any], container_id: str) -> None:
    """What a monitor does last, with the engine that its order describes."""
    from pod.engine.context import Engine

    record_end(Engine(**settings), container_id)


def record_end(engine: Engine, container_id: str) -> None:
    """Make the row of a container true that has just ended. Takes its lock, and waits for it."""
    lock = locks.FileLock(engine.paths.container_lock(container_id))
    with lock:
        rows = containers.by_ids(engine.database, [container_id])
        if rows:
            settle(engine, rows[0], lock)
        else:
            lock.remove()  # it was removed while we waited, and taking the lock made its file again


def refresh(engine: Engine, container: Container) -> tuple[Container, reconcile.Run | None]:
    """The container as it is now, and its run when it is active. An end that nobody recorded is recorded first.

    Takes the container's lock only when there is something to record; an end that another command records is told as
    it will be, and a container that another command is starting is left alone. An auto-removed container may be gone
    afterwards: then its status is "exited".
    """
    if container.status != "active":
        return container, None
    run = read_run(engine, container)
    if run.is_alive:
        return container, run
    lock = locks.FileLock(engine.paths.container_lock(container.id))
    try:
        lock.acquire(wait=False)
    except locks.Busy:
        if run.end:
            # Somebody records it; here it is as it will be, so that nobody sees the status of nothing.
            return container.replace(status="exited", **_end_of(engine, container, run)), None
        rows = containers.by_ids(engine.database, [container.id])
        if not rows:
            return _removed(engine, container), None
        # Somebody is starting it, or its end was recorded, and the files that tell of it removed, since we had the row.
        return rows[0], run if rows[0].status == "active" else None
    try:
        rows = containers.by_ids(engine.database, [container.id])
        if not rows:
            lock.remove()
            return _removed(engine, container), None
        return settle(engine, rows[0], lock), None
    finally:
        lock.release()


def _removed(engine: Engine, container: Container) -> Container:
    """A container that ended and was removed since its row was read."""
    return container.replace(status="exited", exit_status=status_of_removed(engine, container))


def status_of_removed(engine: Engine, container: Container) -> int:
    """The exit status of a container whose row has gone, as the events have it; LOST_STATUS where they do not."""
    from pod.engine import events as journal  # rarely needed

    status = journal.last_exit_status(engine.events.directory, container.id)
    return LOST_STATUS if status is None else status


def read_run(engine: Engine, container: Container) -> reconcile.Run:
    """The run of an active container; one of an earlier boot is lost."""
    if container.boot_id != boot_id():
        return reconcile.Run("lost", {}, {})
    return reconcile.read_run(engine.paths.run(container.id))


def current(engine: Engine, container: Container, lock: locks.FileLock) -> Container:
    """The container as it is now that the caller holds its lock. Raises NoSuchContainer when it was removed."""
    rows = containers.by_ids(engine.database, [container.id])
    if not rows:
        lock.remove()  # taking it has made its file again
        raise containers.NoSuchContainer(container.name)
    return settle(engine, rows[0], lock)


def settle(engine: Engine, container: Container, lock: locks.FileLock) -> Container:
    """Make the row of a container true whose monitor has ended or is ending; the caller holds its lock.

    Returns the container as it is then. One with --rm is removed, and its lock file with it.
    """
    if container.status != "active":
        return container
    run = read_run(engine, container)
    if run.is_alive:
        return container
    if run.condition == "lost":
        state = run.state or _state_without_files(engine, container)
        clean_up_after_lost_monitor(engine.paths.run(container.id), state)
    ended = _end_of(engine, container, run)
    faults.step("finish: seen")
    settled = container.replace(status="exited", **ended)
    from pod.state import events  # not for those that only look, such as ps

    # Not after the row: whoever sees that it has ended finds the event, too.
    engine.events.append(
        *([events.of_container(settled, "oom")] if ended["outcome"].get("out_of_memory") else ()),
        events.of_container(settled, "died", exit_code=settled.exit_status),
        events.of_container(settled, "cleanup"),
    )
    if container.config.auto_remove:
        from pod.engine import remove

        # Its row is not made "exited" first: a crash before it is gone would leave it for good.
        remove.remove_settled(engine, settled, lock, with_volumes=True)
        _tell_pod(engine, settled)
        return settled
    if container.config.health is not None:
        from pod.state import health  # few containers have one

        health.keep(engine.paths.run(container.id), engine.paths.container(container.id))
    durable = not container.config.auto_remove
    containers.set_exited(engine.database, container.id, **ended, durable=durable)
    faults.step("finish: row")
    remove_run_directory(engine, container.id)
    _tell_pod(engine, settled)
    return settled


def _tell_pod(engine: Engine, container: Container) -> None:
    if container.config.pod:
        from pod.engine import pod_stop

        pod_stop.after_end(engine, container)


def _state_without_files(engine: Engine, container: Container) -> dict[str, Any]:
    """What is left to find a container whose run directory has gone while it ran: its cgroup.

    At the end of a user's last session logind removes $XDG_RUNTIME_DIR, and not always the processes (loginctl(1),
    enable-linger).
    """
    if container.boot_id != boot_id():
        return {}
    from pod.linux import cgroups

    root = cgroups.delegated_root()
    if root is not None and container.config.pod:
        from pod.engine import pod_cgroup

        path = pod_cgroup.path_of(engine, container, root)
        return {"cgroup": path} if os.path.isdir(path) else {}
    parent = "/".join(filter(None, (root, container.config.cgroup_parent.strip("/"))))
    path = f"{parent}/pod-{container.id}"
    return {"cgroup": path} if os.path.isdir(path) else {}


def _end_of(engine: Engine, container: Container, run: reconcile.Run) -> dict[str, Any]:
    outcome: dict[str, Any] = {}
    if container.outcome.get("stopped_by_user"):
        outcome["stopped_by_user"] = True
    if run.end:
        outcome |= {
            name: run.end[name]
            for name in ("out_of_memory", "timed_out", "restarts", "error", "ended_by_health")
            if run.end.get(name)
        }
        return {
            "exit_status": run.end["status"],
            "started_ns": run.end["started_ns"],
            "finished_ns": run.end["ended_ns"],
            "outcome": outcome,
        }
    same_boot = container.boot_id == boot_id()
    outcome["error"] = (
        _why_lost(engine, container, run) if same_boot else "the machine was restarted while it ran"
    )
    say = log.warning if same_boot else log.info
    say(f"container '{container.name}' has ended: {outcome['error']}")
    return {
        "exit_status": LOST_STATUS,
        "started_ns": run.state.get("started_ns") or container.started_ns,
        "finished_ns": time.time_ns(),
        "outcome": outcome,
    }


def _why_lost(engine: Engine, container: Container, run: reconcile.Run) -> str:
    if run.state.get("started_ns"):
        return "its monitor was killed, so how it ended is not known"
    directory = engine.paths.run(container.id)
    if os.path.isdir(directory):
        return "its start was broken off: the command or the monitor was killed"
    return f"its run directory '{directory}' was removed, so how it ended is not known"


def clean_up_after_lost_monitor(run_directory: str, state: dict[str, Any]) -> None:
    """End what a killed monitor has left: the container, its network helper, its cgroup."""
    from netns import release
    from pod.linux import cgroups, signals

    release.release_lost(run_directory)
    release.release_unnamed(run_directory)
    if state.get("pid"):
        processes.send_signal(state["pid"], state["pid_started"], signals.SIGKILL)
    for pid, started in state.get("helpers", ()):
        processes.send_signal(pid, started, signals.SIGKILL)
    if state.get("cgroup"):
        cgroups.remove_with_processes(state["cgroup"])
    if state.get("pid"):
        processes.wait_until_gone(state["pid"], state["pid_started"])
    for pid, started in state.get("helpers", ()):
        processes.wait_until_gone(pid, started)  # it holds the published ports until then
    if os.path.isdir(f"{run_directory}/{monitor.BUNDLE}"):
        from pod.runtime import hooks

        hooks.run_after_end(os.path.basename(run_directory), run_directory)
    # What serves the root file system first writes what the container had not written yet, and then leaves.
    processes.end_servers(state.get("servers", ()))


def remove_run_directory(engine: Engine, container_id: str) -> None:
    """Remove the files of a run that is over, the exit status last: until then the next command can begin again.

    That of the monitor's lock goes first, so that nobody takes one without a state for one that has just begun.
    """
    directory = engine.paths.run(container_id)
    for _ in range(_TRIES):
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            return
        order = {monitor.LOCK_FILE: 0, monitor.EXIT_FILE: 2}
        for name in sorted(names, key=lambda name: order.get(name, 1)):
            try:
                os.unlink(f"{directory}/{name}")
            except FileNotFoundError:
                continue
            except IsADirectoryError:  # an external runtime's
                from storage import removal

                removal.remove_tree(f"{directory}/{name}")
        try:
            os.rmdir(directory)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                return
            time.sleep(_TRY_SECONDS)  # a helper of a start that was broken off is just being ended
        else:
            return
    log.debug(f"'{directory}' fills again and again; the next command removes it")
