"""A connection to a container's monitor, for commands that wait for its end or bring it about."""

from __future__ import annotations

import select
import time

from pod.linux import processes, signals, sockets
from pod.spec import monitor
from pod.state import reconcile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.reconcile import Run

PAUSE_SECONDS = 0.01  # between two looks at what tells nobody of a change


class Client:
    """Holds the connection until `close`. Everything here works, more slowly, when the monitor has just died."""

    def __init__(self, engine: Engine, container: Container) -> None:
        self.exit_status: int | None = None  # what the monitor said, once it has
        self._run_directory = engine.paths.run(container.id)
        self._channel = connect(self._run_directory)

    def send(self, *message: object) -> None:
        """Send a message; to a monitor that is gone it is lost."""
        if self._channel is not None:
            self._channel.try_send(*message)

    def wait_for_exit(self, timeout_seconds: float | None) -> bool:
        """Wait until the monitor tells of the end, or is gone; False when the time is over first."""
        deadline = float("inf") if timeout_seconds is None else time.monotonic() + timeout_seconds
        while self._channel is not None and self.exit_status is None:
            if not self._receive(deadline):
                return False
        # A monitor that does not listen any more may still have to write down how the container ended.
        while self.exit_status is None and reconcile.read_run(self._run_directory).is_alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(PAUSE_SECONDS)
        return True

    def stop_restarts(self, timeout_seconds: float) -> None:
        """End the restart policy and wait until the monitor has noted it: from then on its state file holds."""
        self.send(monitor.NO_RESTART)
        self._wait_for_note(timeout_seconds)

    def change_order(self, order: dict[str, Any], timeout_seconds: float) -> None:
        """Tell what the next start is to do, and wait until the monitor has noted it."""
        self.send(monitor.ORDER, order)
        self._wait_for_note(timeout_seconds)

    def rename(self, name: str, timeout_seconds: float) -> None:
        """Tell the container's new name, and wait until the monitor has noted it."""
        self.send(monitor.RENAMED, name)
        self._wait_for_note(timeout_seconds)

    def _wait_for_note(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while self._channel is not None and self.exit_status is None:
            answer = self._receive(deadline)
            if not answer or answer[0] == monitor.NOTED:
                return

    def wait_for_health(self, wanted: list[str], timeout_seconds: float | None) -> bool:
        """Wait until the monitor says that the health is one of these; False at the end, or when the time is over."""
        self.send(monitor.HEALTH)
        deadline = float("inf") if timeout_seconds is None else time.monotonic() + timeout_seconds
        while self._channel is not None and self.exit_status is None:
            message = self._receive(deadline)
            if not message:
                return False
            if message[0] == monitor.HEALTH and message[1] in wanted:
                return True
        return False

    def _receive(self, deadline: float) -> tuple[object, ...]:
        """The next message; () when the time is over first. At the end of the connection ("",), and it is closed."""
        assert self._channel is not None
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        left = deadline - time.monotonic()
        if not poll.poll(None if left == float("inf") else max(0.0, left * 1000)):
            return ()
        kind, value, _ = self._channel.receive()
        if not kind:
            self.close()
            return ("",)
        if kind != sockets.MESSAGE:
            return ("",)
        message: tuple[object, ...] = value
        if message[0] == monitor.EXITED:
            self.exit_status = value[1]
        return message

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def connect(run_directory: str) -> sockets.Channel | None:
    """Connect to the monitor of a container, waiting for one that begins; None when none listens any more.

    The caller closes the channel.
    """
    while True:
        try:
            return sockets.connect(run_directory, monitor.SOCKET)
        except OSError:
            if reconcile.read_run(run_directory).condition != "starting":
                return None
        time.sleep(PAUSE_SECONDS)


def kill_run(run: Run) -> None:
    """SIGKILL to everything in a running container."""
    if run.state.get("cgroup"):
        from pod.linux import cgroups

        if cgroups.kill(run.state["cgroup"]):
            return
    send(run, signals.SIGKILL)


def send(run: Run, number: int) -> bool:
    """A signal to process 1 of a running container; False when it has ended."""
    return bool(run.pid) and processes.send_signal(run.pid, run.state["pid_started"], number)
