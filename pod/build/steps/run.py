"""RUN: a command in a container that has no record and no monitor, only a process that follows it."""

from __future__ import annotations

import os

from pod.base import exits, faults, ids
from pod.build import effects, files, history, keys
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.run_options import parse_mounts
from pod.build.dockerfile.substitute import Substitution
from pod.build.failure import StepFailed
from pod.build.staged import Staged
from pod.build.steps import caches, origins, run_mounts
from pod.build.tasks import Job
from pod.linux import processes
from pod.spec.devices import parse_device
from pod.spec.environment import proxy_environment
from pod.spec.mounts import Mount
from pod.spec.namespaces import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from typing import Any

    from pod.build.builder import Builder
    from pod.build.dockerfile.instructions import Heredoc, Run
    from pod.build.dockerfile.variables import Variables
    from pod.build.host import Order
    from pod.build.progress import Step
    from pod.build.state import StageState
    from pod.spec.container import ContainerConfig

_FILES = "/dev/pipes"


def run(
    builder: Builder, step: Step, state: StageState, instruction: Run, variables: Variables
) -> Generator[Any, Any, StageState]:
    """The state after the command. Raises StepFailed, DockerfileError."""
    config, command = state.config, instruction.command
    words = (*effects.shell(config), instruction.script) if command.shell else command.words
    own_file = instruction.interpreted
    if own_file is not None:
        words = (f"{_FILES}/{_name_of(own_file)}",)
    environment = {**variables.arguments, **variables.environment}
    substitution = Substitution(variables.known(), builder.plan.stages.escape)
    asked = parse_mounts(instruction, lambda text: substitution.text(text, instruction.place))
    with origins.Place(builder) as place:
        planned = yield from run_mounts.plan(builder, place, state, instruction, asked)
        inputs = {
            "files before it": state.files.key,
            "command": keys.digest("\0".join((*words, own_file.text if own_file else ""))),
            "variables": keys.digest_of_all(f"{name}={it}" for name, it in environment.items()),
            "user": config.get("User") or "",
            "directory": effects.working_directory(config),
            "mounts": keys.digest("\0".join(planned.inputs)),
            "network": instruction.network,
            "security": instruction.security,
            "devices": " ".join(instruction.devices),
        }
        key = keys.of("run", inputs)
        record = builder.cache.find(step, key, inputs)
        if record is None:
            environment = {
                **builder.host.default_environment(),
                **(proxy_environment(os.environ) if builder.options.http_proxy else {}),
                **variables.proxies,
                **environment,
            }
            container = _container(builder, instruction).replace(
                command=words,
                working_directory=effects.working_directory(config),
                user=config.get("User") or "",
            )
            shown = instruction.script if command.shell else " ".join(words)
            with caches.Locks() as locks:
                made = yield from run_mounts.make(builder, place, planned, instruction, locks)
                environment.update(made.variables)
                container = container.replace(
                    environment=tuple(f"{name}={it}" for name, it in environment.items()),
                    mounts=(
                        *_covers(builder, config),
                        *container.mounts,
                        *made.mounts,
                        *([_file_to_run(place, own_file)] if own_file else []),
                    ),
                )
                lowers = files.lowers(builder.store, state.files)
                staged = Staged(builder.store, lowers)
                try:
                    shell = effects.shell(config)[:1]
                    yield from _execute(builder, step, staged, container, made, shown, shell)
                    tree = yield from staged.changes(builder.nest)
                    record = builder.cache.keep(step, key, inputs, tree)
                finally:
                    staged.discard()
            builder.progress.done(step)
    return history.with_layer(state, record, history.of_run(instruction, variables))


def _file_to_run(place: origins.Place, heredoc: Heredoc) -> Mount:
    """A heredoc that begins with `#!`, as a program; where BuildKit has it, too."""
    directory = place.directory()
    path = f"{directory}/{_name_of(heredoc)}"
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(file.fileno(), 0o755)
        file.write(heredoc.text)
    return Mount("bind", _FILES, directory, read_only=True)


def _name_of(heredoc: Heredoc) -> str:
    return heredoc.name if heredoc.name.isalnum() else "script"


def _container(builder: Builder, instruction: Run) -> ContainerConfig:
    """What the command line says about all commands, with what the instruction says about this one."""
    container, allowed = builder.options.run, builder.options.allowed
    if instruction.network in {"none", "host"}:
        networking = container.networking.replace(network=Network(mode=instruction.network))
        container = container.replace(networking=networking)
    if instruction.security == "insecure":
        if "security.insecure" not in allowed:
            raise DockerfileError(
                instruction.place,
                "--security=insecure gives a command more rights than usual, which was not allowed",
                hint="pod build --allow security.insecure",
            )
        container = container.replace(privileged=True)
    if instruction.devices:
        if "device" not in allowed and not any(it.startswith("device=") for it in allowed):
            raise DockerfileError(
                instruction.place,
                "--device gives a command devices of this machine, which was not allowed",
                hint="pod build --allow device",
            )
        names = [parse_device(text.partition(",")[0]) for text in instruction.devices]
        container = container.replace(devices=(*container.devices, *names))
    return container


def _covers(builder: Builder, config: Mapping[str, Any]) -> list[Mount]:
    """With --compat-volumes: what takes up, and loses, whatever the command changes below a VOLUME."""
    if not builder.options.compat_volumes:
        return []
    paths = [effects.resolved({}, path) for path in config.get("Volumes") or ()]
    return [Mount("tmpfs", path, options=("nosuid", "nodev")) for path in paths]


def _execute(
    builder: Builder,
    step: Step,
    staged: Staged,
    container: ContainerConfig,
    made: run_mounts.Made,
    shown: str,
    shell: tuple[str, ...],
) -> Generator[Any, Any, None]:
    """Run the command to its end; with --on-error=shell, the shell after a failure. Raises StepFailed."""
    orders: list[Order] = []

    def start_it() -> Job:
        staged.make_overlay_directories(container.mounts)
        order = builder.host.order(container, ids.new_id(), staged.path, made.layers)
        orders.append(order)
        staged.make_points(order.bundle["config"]["mounts"])
        order.bundle["rootfs"] = staged.mount()
        return start(
            order,
            lambda stream, data: builder.progress.output(step, stream, data),
            stdin_fd=0 if builder.options.stdin else -1,
            locks=made.waits_for,
        )

    try:
        wait_status, refused = yield start_it
    finally:
        for order in orders:
            builder.host.end(order)
    faults.step("build: executed")
    _tell_refused(builder, refused)
    if wait_status != 0:
        failed = StepFailed(step, shown, exits.from_wait_status(wait_status))
        if builder.options.on_error == "shell":
            from pod.build.steps import debug

            yield from debug.look_around(builder, staged, container, made, shell, failed)
        raise failed


def _tell_refused(builder: Builder, refused: Mapping[str, str]) -> None:
    """Say once which limits of the command line count for nothing here, and why."""
    for name, why in refused.items():
        is_asked = name != "pids.max" or builder.options.run.resources.pids_limit > 0
        if is_asked and name not in builder.told:
            builder.told.add(name)
            builder.progress.message(f"warning: limit {name} of commands is not applied: {why}")


def start(
    order: Order,
    on_output: Callable[[int, bytes], None],
    *,
    stdin_fd: int = -1,
    locks: Sequence[str] = (),
) -> Job:
    """Start the command; the result of the job is that of `follow`. `on_output` gets streams 1 and 2."""
    from pod.build.steps import follow  # heavy: what builds a container

    pipes = [os.pipe(), os.pipe()]
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC) if stdin_fd < 0 else stdin_fd
    streams = (null, pipes[0][1], pipes[1][1])
    try:
        child = processes.fork(
            lambda: follow.follow(order, streams, locks),
            what="run a command of the build",
            keep=streams,
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
