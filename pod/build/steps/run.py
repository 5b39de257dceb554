"""RUN: a command in a container that has no record and no monitor, only a process that follows it."""

from __future__ import annotations

import os

from pod.base import exits, faults, ids
from pod.build import effects, files, history, keys
from pod.build.failure import StepFailed
from pod.build.staged import Staged
from pod.build.tasks import Job
from pod.linux import processes, signals, syscalls
from pod.runtime import create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from pod.build.builder import Builder
    from pod.build.dockerfile.instructions import Run
    from pod.build.dockerfile.variables import Variables
    from pod.build.host import Order
    from pod.build.progress import Step
    from pod.build.state import StageState


def run(
    builder: Builder, step: Step, state: StageState, instruction: Run, variables: Variables
) -> Generator[Any, Any, StageState]:
    """The state after the command. Raises StepFailed."""
    config, command = state.config, instruction.command
    words = (*effects.shell(config), instruction.script) if command.shell else command.words
    environment = {**variables.arguments, **variables.environment}
    inputs = {
        "files before it": state.files.key,
        "command": keys.digest("\0".join(words)),
        "variables": keys.digest_of_all(f"{name}={value}" for name, value in environment.items()),
        "user": config.get("User") or "",
        "directory": effects.working_directory(config),
        "network": instruction.network,
        "security": instruction.security,
    }
    key = keys.of("run", inputs)
    record = builder.cache.find(step, key, inputs)
    if record is None:
        staged = Staged(builder.store, files.lowers(builder.store, state.files))
        try:
            environment = {
                **builder.host.default_environment(),
                **variables.proxies,
                **environment,
            }
            container = builder.options.run.replace(
                command=words,
                environment=tuple(f"{name}={value}" for name, value in environment.items()),
                working_directory=effects.working_directory(config),
                user=config.get("User") or "",
            )

            def start_it() -> Job:
                order = builder.host.order(container, ids.new_id(), staged.path, {})
                staged.make_points(order.bundle["config"]["mounts"])
                order.bundle["rootfs"] = staged.mount()
                return start(
                    order, lambda stream, data: builder.progress.output(step, stream, data)
                )

            wait_status = yield start_it
            faults.step("build: executed")
            if wait_status != 0:
                shown = instruction.script if command.shell else " ".join(words)
                raise StepFailed(step, shown, exits.from_wait_status(wait_status))
            record = builder.cache.keep(step, key, inputs, staged.upper)
        finally:
            staged.discard()
        builder.progress.done(step)
    return history.with_layer(state, record, history.of_run(instruction, variables))


def start(order: Order, on_output: Callable[[int, bytes], None], stdin_fd: int = -1) -> Job:
    """Start the command; the result of the job is its wait status. `on_output` gets streams 1 and 2."""
    pipes = [os.pipe(), os.pipe()]
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC) if stdin_fd < 0 else stdin_fd
    streams = (null, pipes[0][1], pipes[1][1])
    try:
        child = processes.fork(
            lambda: _follow(order, streams), what="run a command of the build", keep=streams
        )
    except BaseException:
        for read_fd, _ in pipes:
            os.close(read_fd)
        raise
    finally:
        for _, write_fd in pipes:
            os.close(write_fd)
        if stdin_fd < 0:
            os.close(null)
    return Job(
        child,
        {
            pipes[0][0]: lambda data: on_output(1, data),
            pipes[1][0]: lambda data: on_output(2, data),
        },
    )


def _follow(order: Order, streams: tuple[int, int, int]) -> int:
    """In the child: run the container to its end."""
    from netns import attach, release
    from pod.linux import cgroups

    # Whoever ends the build with SIGKILL ends this, and this ends the container (dies_with_parent).
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signals.SIGKILL)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    bundle = order.bundle
    nest = create.begin(order.maps, new_network=create.wants_new_network(bundle))
    try:
        connection = attach.begin(order.network, nest.pid)
    except BaseException:
        nest.abandon()
        raise
    try:
        container = create.create(nest, bundle, streams)
        for fd in streams:
            os.close(fd)
        try:
            ready = create.wait_until_ready(container)
            connection.wait()
        except BaseException:
            create.kill(container)
            raise
        create.start(ready)
        _, status = os.waitpid(ready.pid, 0)
    except BaseException:
        connection.detach()
        raise
    finally:
        if bundle["cgroup"]:
            cgroups.remove_with_processes(bundle["cgroup"])
    release.release(connection.plan())
    return status
