"""`pod compose up` without --detach: the output of the services until they have ended, or Ctrl-C stops them.

The output of each container is shown by a child process, which ends with it; so the end of a child tells of the end of
a container. The first Ctrl-C stops the services in the order of their dependencies, the second kills them. With
--watch, another child watches files, and tells when there may be other containers; with --menu, keys do something.
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
    from pod.compose.watch import Watcher
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
        watcher: Callable[[Callable[[], None]], Watcher] | None = None,
        watches: bool = False,
        menu: bool = False,
    ) -> None:
        """`watcher` makes one, which calls what it gets; `watches` is whether it begins at once."""
        self.watcher = watcher
        self.watches = watches
        self.menu = menu
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
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    session = _Session(engine, project, services, wanted, tell)
    for number in before:
        signal.signal(number, _raise)
    try:
        if wanted.menu:
            from pod.linux.terminal import KeyMode

            with KeyMode(0):
                return session.run()
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
        services: Sequence[str],
        wanted: Wanted,
        tell: Tell,
    ) -> None:
        self.engine = engine
        self.project = project
        self.services = frozenset(services)
        self.wanted = wanted
        self.tell = tell
        self.found: dict[str, Member] = {}
        self.sink_of: dict[str, tuple[Container, Sink]] = {}
        self.children: dict[int, tuple[str, processes.Child]] = {}
        self.watching: processes.Child | None = None
        self.changes_fd = (
            -1
        )  # readable when the watching child has replaced or restarted containers
        self._look()

    def _look(self) -> None:
        """Know the containers that there are now."""
        from pod.cli.compose_output import with_sinks
        from pod.compose import members

        now = members.of_project(self.engine, self.project.name)
        found = [it for it in now if it.service in self.services]
        self.found.update({member.id: member for member in found})
        wanted = self.wanted
        for container, sink in with_sinks(
            self.engine, found, self.project.name, prefixes=wanted.prefixes, colors=wanted.colors
        ):
            self.sink_of[container.id] = (container, sink)

    def run(self) -> int:
        os.write(2, f"Attaching to {', '.join(it.name for it in self.found.values())}\n".encode())
        self.engine.close()
        for container_id in self.sink_of:
            self._follow(container_id, first=True)
        if self.wanted.watches:
            self._begin_watch()
        if self.wanted.menu:
            self._show_menu()
        while self.children or self.watching is not None:
            status = self._next()
            if status is not None:
                return status
        return 0

    def _next(self) -> int | None:
        """Wait for something, and do what follows from it; a status to end with, or None."""
        poll = select.poll()
        for fd in self.children:
            poll.register(fd, select.POLLIN)
        if self.watching is not None:
            poll.register(self.watching.result_fd, select.POLLIN)
            poll.register(self.changes_fd, select.POLLIN)
        if self.wanted.menu:
            poll.register(0, select.POLLIN)
        for fd, _ in poll.poll():
            status = self._ready(fd)
            if status is not None:
                return status
        return None

    def _ready(self, fd: int) -> int | None:
        if fd in self.children:
            container_id, child = self.children.pop(fd)
            child.result()
            return self._ended(container_id)
        if self.wanted.menu and fd == 0:
            return self._key()
        if self.watching is None:
            return None
        if fd == self.watching.result_fd:
            watching, self.watching = self.watching, None
            os.close(self.changes_fd)
            watching.result()
        elif fd == self.changes_fd and os.read(fd, 4096):
            self._find_new()
        return None

    # Watching

    def _begin_watch(self) -> None:
        assert self.wanted.watcher is not None
        self.changes_fd, write_fd = os.pipe()

        def changed() -> None:
            os.write(write_fd, b"x")

        watcher = self.wanted.watcher(changed)
        self.engine.close()

        def watch() -> None:
            _leave_signals()
            watcher.watch()

        self.watching = processes.fork(watch, what="watch files", keep=(write_fd,))
        os.close(write_fd)

    def _end_watch(self) -> None:
        if self.watching is not None:
            watching, self.watching = self.watching, None
            os.close(self.changes_fd)
            watching.kill()

    def _find_new(self) -> None:
        """Show the output of containers that run and whose output is not shown yet."""
        self._look()
        self.engine.close()
        followed = {container_id for container_id, _ in self.children.values()}
        for member in list(self.found.values()):
            if member.is_running and member.id not in followed and member.id in self.sink_of:
                self._follow(member.id, first=True)

    # Keys

    def _show_menu(self) -> None:
        watch = "" if self.wanted.watcher is None else (
            "   w Disable Watch" if self.watching is not None else "   w Enable Watch"
        )  # fmt: skip
        os.write(2, f"Ctrl-C Stop   d Detach{watch}\n".encode())

    def _key(self) -> int | None:
        key = os.read(0, 1)
        if key == b"d":
            return 0
        if key == b"w" and self.wanted.watcher is not None:
            if self.watching is not None:
                self._end_watch()
            else:
                self._begin_watch()
            self._show_menu()
        elif not key:
            self.wanted.menu = False  # the terminal is gone
        return None

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
                self._look()
                self.engine.close()
                self._follow(container_id, first=True)  # it was started again
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
        self._end_watch()
        self.engine.close()
        try:
            now = members.of_project(self.engine, self.project.name)
            ours = [member for member in now if member.service in self.services]
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
            if member.service in self.services and member.is_running:
                for row in containers.by_ids(self.engine.database, [member.id]):
                    stop.stop(self.engine, row, 0)
                    self.tell("Container", member.name, "Killed")

    def close(self) -> None:
        """End what still shows output, once it has shown the rest of it."""
        self._end_watch()
        for _, child in self.children.values():
            child.kill()
        self.children.clear()


def _leave_signals() -> None:
    """The command decides what Ctrl-C means; a child that outlives the command is of no use."""
    from pod.linux import syscalls

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
