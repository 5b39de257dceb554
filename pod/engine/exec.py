"""`pod exec`: a new process in a running container, started by the command itself, without a monitor."""

from __future__ import annotations

import errno
import os

from pod.base import exits, files
from pod.base.records import Record
from pod.engine import facts as host_facts
from pod.engine import launch, lookup, terminal
from pod.linux import processes, signals
from pod.linux.loop import Loop
from pod.linux.terminal import RawMode, set_window_size
from pod.runtime import joiner as joining
from pod.spec import bundle
from pod.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.bundle import Facts
    from pod.state.containers import Container
    from pod.state.reconcile import Run

_IN_SCOPE = ".scope/container"  # pod/linux/scopes.py
_READ_BYTES = 32 * 1024
_PASSED_ON = signals.ENDING


class ExecOptions(Record):
    """What to start. `user` None and `working_directory` "" are the container's own."""

    arguments: tuple[str, ...]
    environment: tuple[str, ...] = ()
    user: str | None = None
    working_directory: str = ""
    interactive: bool = False
    terminal: bool = False
    detach: bool = False
    privileged: bool = False
    detach_keys: bytes = b""
    keep_fds: tuple[int, ...] = ()  # descriptors besides the streams
    pid_file: str = ""


def execute(engine: Engine, name: str, options: ExecOptions) -> int:
    """Run a process in the container `name`; its exit status, or 0 when it is left in the background.

    Raises NotRunning, CommandNotFound (127), CommandNotExecutable (126).
    """
    container, run = lookup.running(engine, name)
    if not options.detach:
        signals.block(
            _PASSED_ON
        )  # until they can be passed on: the command may run before we are ready
    try:
        joiner = engine.take_joiner()
        try:
            _prepare(joiner, run.state.get("cgroup") or "", run.pid, options.keep_fds)
            order = make_order(engine, container, run, options)
        except BaseException:
            joiner.abandon()
            raise
        if options.detach:
            with lookup.WhileItRuns(container, run):
                _detached(order, options, joiner)
            engine.events.append(events.of_container(container, "exec"))
            return 0
        streams = _Streams(options)
        with lookup.WhileItRuns(container, run):
            joined = joining.start(order, streams.theirs, joiner)
    except BaseException:
        signals.unblock(_PASSED_ON)
        raise
    streams.close_theirs()
    engine.events.append(events.of_container(container, "exec"))
    if options.pid_file:
        files.write_atomic(
            options.pid_file, f"{joined.inner_pid}\n".encode(), mode=0o644, sync=False
        )
    status = _Session(joined, streams.ours, options).run()
    if status is None:
        return 0
    engine.events.append(events.of_container(container, "exec_died", exit_code=status))
    return status


def _prepare(joiner: joining.Joiner, cgroup: str, init_pid: int, keep_fds: tuple[int, ...]) -> None:
    """Say where to. It enters the cgroup by itself, except one into which only systemd can move it."""
    if cgroup.endswith(_IN_SCOPE) or _is_in_unit(cgroup):
        from pod.linux import scopes

        scopes.attach(scopes.user_bus(), cgroup, joiner.pid, init_pid)
        cgroup = ""
    joiner.prepare(cgroup, init_pid, keep_fds)


def _is_in_unit(cgroup: str) -> bool:
    """Whether it is in that of a service of the user's systemd (--cgroups=split)."""
    unit = os.path.basename(os.path.dirname(cgroup))
    return unit.endswith(".service") and not unit.startswith("user@")


def make_order(
    engine: Engine, container: Container, run: Run, options: ExecOptions
) -> dict[str, Any]:
    """What runtime/join.py gets."""
    window = terminal.own_window() if options.terminal else (0, 0)
    facts, _ = host_facts.collect(engine, container, {}, window, starts=False, joins=False)
    return {
        **join_order(engine, container, facts, options),
        "container_pid": run.pid,
        "container_started": run.state["pid_started"],
    }


def join_order(
    engine: Engine, container: Container, facts: Facts, options: ExecOptions
) -> dict[str, Any]:
    """The same without the process to join, for a container that may not run yet."""
    config = container.config
    of_secrets: list[str] = []
    if config.secrets:
        from pod.engine import secrets

        of_secrets = secrets.variables(engine, container.id, config)
    process = bundle.process(
        config,
        facts,
        options.arguments,
        (*config.environment, *of_secrets, *options.environment),
        terminal=options.terminal,
        user=options.user,
        privileged=options.privileged,
    )
    if options.working_directory:
        process["cwd"] = options.working_directory
    return {
        "id": container.id,
        "namespaces": ["user", "mount", "pid", "network", "ipc", "uts", "cgroup"],
        "process": process,
        "user": (config.user if options.user is None else options.user) or "0",
        "groups": list(config.groups),
        "seccomp": None if options.privileged else launch.seccomp_program(engine, config, facts),
        "keyring": engine.settings.containers.keyring,
        "keep_fds": options.keep_fds,
        "detach": options.detach,
    }


def _detached(order: dict[str, Any], options: ExecOptions, joiner: joining.Joiner) -> None:
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    joined = joining.start(order, (null, null, null), joiner)
    if options.pid_file:
        files.write_atomic(
            options.pid_file, f"{joined.inner_pid}\n".encode(), mode=0o644, sync=False
        )


class _Streams:
    """The descriptors of the new process. Files and pipes of the caller are passed as they are.

    A terminal of the caller's is not: through it the process could read what is typed to other programs. It gets pipes
    instead, between which and the terminal we copy.
    """

    def __init__(self, options: ExecOptions) -> None:
        self.ours: dict[int, int] = {}  # our standard stream -> our end of the pipe
        self._opened: list[int] = []
        theirs = []
        for number in (0, 1, 2):
            if options.terminal or (number == 0 and not options.interactive):
                theirs.append(self._keep(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)))
            elif os.isatty(number):
                read_fd, write_fd = os.pipe()
                self.ours[number] = write_fd if number == 0 else read_fd
                theirs.append(self._keep(read_fd if number == 0 else write_fd))
            else:
                theirs.append(number)
        self.theirs = (theirs[0], theirs[1], theirs[2])

    def _keep(self, fd: int) -> int:
        self._opened.append(fd)
        return fd

    def close_theirs(self) -> None:
        for fd in self._opened:
            os.close(fd)


class _Session:
    """Stay with a joined process: copy what has to be copied, pass signals on, return its status."""

    def __init__(self, joined: joining.Joined, pipes: dict[int, int], options: ExecOptions) -> None:
        self._joined = joined
        self._has_terminal = joined.terminal_fd >= 0
        self._interactive = options.interactive
        self._keys = terminal.DetachKeys(options.detach_keys if self._has_terminal else b"")
        self._loop = Loop()
        self._detached = False
        self._input_fd = joined.terminal_fd if self._has_terminal else pipes.pop(0, -1)
        self._outputs = (
            {joined.terminal_fd: 1} if self._has_terminal else {fd: n for n, fd in pipes.items()}
        )

    def run(self) -> int | None:
        """Serve until the process ends or the user detaches; its exit status, or None."""
        ended_fd = os.pidfd_open(self._joined.pid)
        inner_fd = processes.open_pidfd(self._joined.inner_pid)  # it may have been quick
        wakeup = signals.Wakeup([signals.SIGWINCH] if self._has_terminal else _PASSED_ON)
        signals.unblock(_PASSED_ON)
        if self._has_terminal:
            self._pass_size_on()  # which may have changed since the order was made
        self._loop.watch(ended_fd, lambda _: self._loop.stop())
        self._loop.watch(wakeup.fileno(), lambda _: self._take_signals(wakeup, inner_fd))
        for fd in self._outputs:
            os.set_blocking(fd, False)
            self._loop.watch(fd, self._output_is_ready(fd))
        if self._interactive and self._input_fd >= 0:
            self._watch_stdin()
        try:
            if self._has_terminal and self._interactive and os.isatty(0):
                with RawMode(0):
                    self._loop.run()
            else:
                self._loop.run()
        finally:
            wakeup.close()
        if self._detached:
            return None
        for fd in list(self._outputs):
            while self._copy_output(fd):
                pass
        _, status = os.waitpid(self._joined.pid, 0)
        return exits.from_wait_status(status)

    def _watch_stdin(self) -> None:
        try:
            self._loop.watch(0, self._input_is_ready)
        except PermissionError:  # a regular file, which epoll(7) refuses since it is always ready
            self._copy_file()

    def _input_is_ready(self, events: int) -> None:
        self._copy_input()

    def _output_is_ready(self, fd: int) -> Callable[[int], None]:
        def copy(events: int) -> None:
            self._copy_output(fd)

        return copy

    def _copy_file(self) -> None:
        if self._copy_input():
            self._loop.set_timer("stdin", 0, self._copy_file)

    def _copy_input(self) -> bool:
        """One piece from the caller to the process; False at the end of the input."""
        try:
            data = os.read(0, _READ_BYTES)
        except OSError:
            data = b""
        passed, self._detached = self._keys.feed(data)
        try:
            files.write_all(self._input_fd, passed)
        except OSError:
            data = b""  # the process reads no more
        if self._detached:
            self._loop.stop()
        if not data:
            self._loop.forget(0)
            if not self._has_terminal:
                os.close(self._input_fd)
        return bool(data)

    def _copy_output(self, fd: int) -> bool:
        """One piece from the process to the caller; False when there is nothing, or nothing more."""
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""  # a terminal that nobody has open
        if not data:
            self._loop.forget(fd)
            self._outputs.pop(fd, None)
            return False
        terminal.write_out(self._outputs[fd], data)
        return True

    def _pass_size_on(self) -> None:
        rows, columns = terminal.own_window()
        if rows and columns:
            set_window_size(self._joined.terminal_fd, rows, columns)

    def _take_signals(self, wakeup: signals.Wakeup, inner_fd: int) -> None:
        for number in wakeup.take():
            if number == signals.SIGWINCH:
                self._pass_size_on()
            elif inner_fd >= 0:
                try:
                    signals.send_through_pidfd(inner_fd, number)
                except ProcessLookupError:
                    continue
