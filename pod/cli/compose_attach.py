"""`pod compose up` without --detach: the output of the services until they have ended, or Ctrl-C stops them.

The output of each container is shown by a child process, which ends with it; so the end of a child tells of the end of
a container. The first Ctrl-C stops the services in the order of their dependencies, the second kills them.
"""

from __future__ import annotations

import os
import select
import signal

from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pod.compose.members import Member
    from pod.compose.project import Project
    from pod.compose.resources import Tell
    from pod.engine.context import Engine
    from pod.engine.logs import Sink
    from pod.state.containers import Container

_INTERRUPTED = 130


class Wanted:
    """What is shown and what ends it. `shown` are services; `code_from` is whose status is that of the command."""

    def __init__(
        self,
        *,
        shown: Sequence[str],
        prefixes: bool,
        colors: bool,
        times: bool,
        ends_with_any: bool,
        ends_with_failure: bool,
        code_from: str,
        timeout_seconds: int | None,
    ) -> None:
        self.shown = frozenset(shown)
        self.prefixes = prefixes
        self.colors = colors
        self.times = times
        self.ends_with_any = ends_with_any or bool(code_from)
        self.ends_with_failure = ends_with_failure
        self.code_from = code_from
        self.timeout_seconds = timeout_seconds


class _Signalled(Exception):
    """Ctrl-C, or SIGTERM."""


def stay(
    engine: Engine, project: Project, services: Sequence[str], wanted: Wanted, tell: Tell
) -> int:
    """Show output until all containers of the services have ended; the exit status of the command."""
    from pod.cli.compose_output import with_sinks
    from pod.compose import members

    found = [it for it in members.of_project(engine, project.name) if it.service in services]
    sinks = with_sinks(engine, found, project.name, prefixes=wanted.prefixes, colors=wanted.colors)
    sink_of = {container.id: (container, sink) for container, sink in sinks}
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    session = _Session(engine, project, found, sink_of, wanted, tell)
    for number in before:
        signal.signal(number, _raise)
    try:
        return session.run()
    except _Signalled:
        session.stop()
        return _INTERRUPTED
    finally:
        session.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, frame: object) -> None:
    raise _Signalled


class _Session:
    def __init__(
        self,
        engine: Engine,
        project: Project,
        found: Sequence[Member],
        sink_of: dict[str, tuple[Container, Sink]],
        wanted: Wanted,
        tell: Tell,
    ) -> None:
        self.engine = engine
        self.project = project
        self.found = {member.id: member for member in found}
        self.sink_of = sink_of
        self.wanted = wanted
        self.tell = tell
        self.children: dict[int, tuple[str, processes.Child]] = {}

    def run(self) -> int:
        os.write(2, f"Attaching to {', '.join(it.name for it in self.found.values())}\n".encode())
        self.engine.close()
        for container_id in self.sink_of:
            self._follow(container_id, first=True)
        while self.children:
            poll = select.poll()
            for fd in self.children:
                poll.register(fd, select.POLLIN)
            for fd, _ in poll.poll():
                container_id, child = self.children.pop(fd)
                child.result()
                status = self._ended(container_id)
                if status is not None:
                    return status
        return 0

    def _follow(self, container_id: str, *, first: bool = False) -> None:
        container, sink = self.sink_of[container_id]
        is_shown = self.found[container_id].service in self.wanted.shown
        task = self._showing(container, sink, first=first) if is_shown else self._waiting(container)
        child = processes.fork(task, what=f"show the output of container '{container.name}'")
        self.children[child.result_fd] = (container_id, child)

    def _showing(self, container: Container, sink: Sink, *, first: bool) -> Callable[[], None]:
        from pod.engine import logs

        selection = logs.Selection(
            follow=True,
            times=self.wanted.times,
            since_ns=container.started_ns if first else 0,
            tail=-1 if first else 0,
            outputs=(1,),
        )

        def show() -> None:
            _leave_signals()
            logs.show(self.engine, container, selection, sink)

        return show

    def _waiting(self, container: Container) -> Callable[[], None]:
        from pod.engine import wait

        def until_end() -> None:
            _leave_signals()
            wait.wait(self.engine, container)

        return until_end

    def _ended(self, container_id: str) -> int | None:
        """What follows from the end of a container: a status to end with, or None to go on."""
        from pod.engine import finish
        from pod.state import containers

        rows = containers.by_ids(self.engine.database, [container_id])
        status = 0
        if rows:
            container, run = finish.refresh(self.engine, rows[0])
            if run is not None and not run.end:
                self.engine.close()
                self._follow(container_id)  # it was started again
                return None
            status = container.exit_status
        self.engine.close()
        member = self.found[container_id]
        os.write(2, f"{member.name} exited with code {status}\n".encode())
        failed = self.wanted.ends_with_failure and status
        if not self.wanted.ends_with_any and not failed:
            return None
        if self.wanted.code_from and member.service != self.wanted.code_from:
            self.stop()
            return self._status_of(self.wanted.code_from)
        self.stop()
        return status

    def _status_of(self, service: str) -> int:
        from pod.compose import members

        for member in members.of_project(self.engine, self.project.name):
            if member.service == service:
                return int(member.listed.summary.exit_status)
        return 0

    def stop(self) -> None:
        """Stop the services; another signal meanwhile kills them."""
        from pod.compose import down, members

        os.write(2, b"Stopping... (press Ctrl-C again to kill)\n")
        self.engine.close()
        try:
            now = members.of_project(self.engine, self.project.name)
            ours = [member for member in now if member.id in self.found]
            down.stop_in_order(
                self.engine, self.project, ours, self.tell, self.wanted.timeout_seconds
            )
        except _Signalled:
            self._kill()

    def _kill(self) -> None:
        from pod.compose import members
        from pod.engine import stop
        from pod.state import containers

        for member in members.of_project(self.engine, self.project.name):
            if member.id in self.found and member.is_running:
                for row in containers.by_ids(self.engine.database, [member.id]):
                    stop.stop(self.engine, row, 0)
                    self.tell("Container", member.name, "Killed")

    def close(self) -> None:
        """End what still shows output, once it has shown the rest of it."""
        for _, child in self.children.values():
            child.kill()
        self.children.clear()


def _leave_signals() -> None:
    """The command decides what Ctrl-C means; a child that outlives the command is of no use."""
    from pod.linux import syscalls

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
