"""--on-error=shell: a shell where a RUN has failed, with the files, mounts, variables and user that it had."""

from __future__ import annotations

import os
import signal

from pod.base import ids
from pod.build.steps.follow import follow
from pod.build.tasks import Job
from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from pod.build.builder import Builder
    from pod.build.failure import StepFailed
    from pod.build.host import Order
    from pod.build.staged import Staged
    from pod.build.steps import run_mounts
    from pod.spec.container import ContainerConfig

_STREAMS = (0, 1, 2)


def look_around(
    builder: Builder,
    staged: Staged,
    container: ContainerConfig,
    made: run_mounts.Made,
    shell: tuple[str, ...],
    failed: StepFailed,
) -> Generator[Any, Any, None]:
    """Let the person at the terminal look around, until the shell ends. What they change is lost.

    Standard input may be a file with commands as well. The terminal is not the shell's controlling one, so that it has
    no job control; meanwhile Ctrl-C does not end the build.
    """
    builder.progress.finish()
    builder.progress.message(
        f"{failed.message}; this is a shell where it failed, `exit` ends the build"
    )
    variables = [f"TERM={os.environ['TERM']}"] if "TERM" in os.environ else []
    container = container.replace(
        command=shell,
        environment=(*container.environment, *variables),
        interactive=True,
    )
    orders: list[Order] = []

    def start_it() -> Job:
        staged.renew()
        order = builder.host.order(container, ids.new_id(), staged.path, made.layers)
        orders.append(order)
        staged.make_points(order.bundle["config"]["mounts"])
        order.bundle["rootfs"] = staged.mount()
        child = processes.fork(
            lambda: follow(order, _STREAMS, made.waits_for),
            what="run a shell where the build has failed",
            keep=_STREAMS,
        )
        return Job(child)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield start_it
    finally:
        signal.signal(signal.SIGINT, before)
        for order in orders:
            builder.host.end(order)
