"""Start a container that exists."""

from __future__ import annotations

import os

from pod.base import locks, paths
from pod.engine import finish, launch
from pod.linux.boot import boot_id
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.linux.sockets import Channel
    from pod.spec.container import ContainerConfig
    from pod.state.containers import Container


def start(
    engine: Engine,
    container: Container,
    *,
    attach: bool = False,
    window: tuple[int, int] = (0, 0),
    as_service: bool = True,
    notify: str = "",
) -> Channel | None:
    """Start the container; None when it runs already. Raises Paused. The caller closes the channel that it gets.

    What it needs is started first. One that `initialize` has left half started goes on. Takes the container's lock.
    `as_service` and `notify` are as in `launch`.
    """
    start_needed(engine, container.config)
    lock = locks.FileLock(engine.paths.container_lock(container.id))
    with lock:
        current = finish.current(engine, container, lock)
        if current.status == "active":
            condition = finish.read_run(engine, current).condition
            if condition == "paused":
                from pod.engine import lookup

                raise lookup.Paused(current)
            if condition != "held":
                return None
            if not (as_service and launch.is_for_service()):
                containers.set_active(engine.database, current.id, current.boot_id)
                return launch.let_go(engine, current, attach=attach, window=window)
            # A service's main process is a child of ours and in its cgroup, which the monitor of `init` is not.
            launch.take_back(engine, current)
        if os.path.exists(f"{engine.paths.container(container.id)}/{paths.MOUNTED_FILE}"):
            from pod.engine import mount

            mount.check_not_mounted(engine, current)
        containers.set_active(engine.database, container.id, boot_id())
        if current.config.pod:
            # Once more: until the row said so, an exit policy could end the infra container for want of others.
            try:
                start_needed(engine, current.config)
            except BaseException as error:
                launch.give_up(engine, current, error)
                raise
        return launch.launch(
            engine,
            current,
            attach=attach,
            window=window,
            as_service=as_service,
            notify=notify,
        )


def start_needed(engine: Engine, config: ContainerConfig) -> None:
    """Start the containers without which one with this configuration cannot run: those that --requires names, and
    those whose namespaces it joins. One whose volumes it uses need not run.
    """
    wanted = dict.fromkeys((*config.requires, *config.joined))
    if not wanted:
        return
    for needed in containers.by_ids(engine.database, list(wanted)):
        if needed.status != "active":
            engine.split_monitor()
        channel = start(engine, needed, as_service=False)
        if channel is not None:
            channel.close()
