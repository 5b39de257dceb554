"""The process that follows the command of a RUN, in place of a monitor: from the order to the wait status."""

from __future__ import annotations

import os

from netns import attach, release
from pod.linux import cgroups, processes, signals, syscalls
from pod.runtime import create
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from netns.backends.networks import Places
    from pod.build.host import Order


def follow(
    order: Order, streams: tuple[int, int, int], locks: Sequence[str]
) -> tuple[int, dict[str, str]]:
    """In the child: wait for what must be ours alone, then run the container to its end.

    The wait status, and the limits that could not be set with the reason for each.
    """
    # Whoever ends the build with SIGKILL ends this, and this ends the container (dies_with_parent).
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signals.SIGKILL)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    held = [FileLock(path) for path in sorted(locks)]
    for lock in held:
        lock.acquire()
    bundle = order.bundle
    settings = dict(order.network)
    connection: attach.Attachment | None = None
    if settings["backend"] == "networks":
        from netns.backends.networks import Places

        connection = settings["opened"] = Places(settings)
    try:
        container = _make(order, settings, streams)
        refused = dict(container.refused_limits)
        for fd in streams:
            os.close(fd)
        try:
            settings["lives"] = container.pid
            # Not before: while it joins the namespace, its /proc files are closed to us for a moment.
            connection = attach.begin(settings, container.holder_pid or container.pid)
            ready = container if container.helper else create.wait_until_ready(container)
            connection.wait()
        except BaseException:
            create.kill(container)
            raise
        if ready.helper:
            from pod.runtime import external

            external.start(ready)
        else:
            create.start(ready)
        _, status = os.waitpid(ready.pid, 0)
        for (
            server,
            started,
        ) in ready.servers:  # of fuse-overlayfs, which may have something to write
            processes.wait_until_gone(server, started)
    except BaseException:
        if connection is not None:
            connection.detach()
        raise
    finally:
        if bundle["cgroup"]:
            cgroups.remove_with_processes(bundle["cgroup"])
    release.release(connection.plan())
    return status, refused


def _make(
    order: Order, settings: dict[str, Any], streams: tuple[int, int, int]
) -> create.Container:
    """The container of the command, which waits to be started."""
    if not order.runtime:
        return create.create(_nest(order, settings), order.bundle, streams)
    from pod.runtime import external  # few builds want another runtime

    return external.make_container(
        order.bundle,
        runtime=list(order.runtime),
        run_directory=settings["run_directory"],
        maps=order.maps,
        user_namespace=order.user_namespace or None,
        streams=streams,
    )


def _nest(order: Order, settings: dict[str, Any]) -> create.Nest:
    """The namespaces that the command begins in."""
    new_network = create.wants_new_network(order.bundle)
    if order.user_namespace:
        return create.join_user_namespace(order.user_namespace, new_network=new_network)
    places: Places | None = settings.get("opened")
    if places is None:
        return create.begin(order.maps, new_network=new_network)
    return create.begin_nested(
        places.namespace, places.map_ids, order.maps, new_network=new_network
    )
