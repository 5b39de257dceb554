"""A connection to a container's monitor, for commands that wait for its end or bring it about."""

from __future__ import annotations

import select
import time

from pod.engine import terminal
from pod.linux import processes, signals, sockets
from pod.spec import monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.reconcile import Run


class Client:
    """Holds the connection until `close`. Everything here works, more slowly, when the monitor has just died."""

    def __init__(self, engine: Engine, container: Container) -> None:
        self.exit_status: int | None = None  # what the monitor said, once it has
        self._channel: sockets.Channel | None
        try:
            self._channel = sockets.connect(engine.paths.run(container.id), monitor.SOCKET)
        except OSError:
            self._channel = None

    def send(self, *message: object) -> None:
        """Send a message; to a monitor that is gone it is lost."""
        if self._channel is not None:
            terminal.send_message(self._channel, *message)

    def wait_for_exit(self, timeout_seconds: float | None) -> bool:
        """Wait until the monitor tells of the end, or is gone; False when the time is over first."""
        if self._channel is None:
            return True
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not poll.poll(None if left is None else left * 1000):
                return False
            kind, value, _ = self._channel.receive()
            if kind == sockets.MESSAGE and value[0] == monitor.EXITED:
                self.exit_status = value[1]
            if not kind or self.exit_status is not None:
                return True

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None


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
