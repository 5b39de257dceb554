"""The process that watches one container: creates and starts it, moves its output, restarts it, records its end.

It is forked by the command that starts a container, early, from a small interpreter (`prefork.py`); it has its own
session, inherits the container's process 1 (subreaper), and outlives the command. It imports `base`, `linux`, `netns`
and `runtime`, no third-party package, and the engine only at the very end.

What it is told to do, the *order*, is plain data:

    id              of the container
    bundle          what to create, see runtime/create.py
    maps            the id maps, or None with
    user_namespace  the path of the user namespace to join
    run_directory   where its state and socket are
    runtime         path and global options of an external OCI runtime; [] for the built-in one
    log             settings of the log driver, see logs.py
    network         what netns.attach gets
    restart         {"policy", "retries"}, podman-run(1), --restart
    open_input      whether standard input is a pipe that clients feed
    input_once      whether it is closed when a client's input ends
    terminal        whether the container has a terminal
    passthrough     whether the command's own streams, passed with the order, are the container's
    attach          whether the command stays to see the output
    timeout         seconds until the container is killed; 0 for no limit
    pid_files       {"monitor": path, "container": path}, "" for none
    engine          what engine/finish.py needs to find the state
"""

from __future__ import annotations

import os
import time

from netns import attach as network
from pod.base import exits, log
from pod.base.errors import PodError
from pod.linux import cgroups, processes, signals, sockets, syscalls
from pod.linux.loop import Loop
from pod.monitor import attach, logs, record
from pod.monitor.streams import Streams
from pod.runtime import create
from pod.spec import monitor as protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from pod.linux.idmap import IdMap

_FINISH_SECONDS = 60.0
_LONGEST_RESTART_DELAY = 60.0
_SETTLED_SECONDS = 10.0  # a container that ran this long has not failed "at once"


def main(channel: sockets.Channel, expected_maps: tuple[IdMap, IdMap] | None) -> NoReturn:
    """Wait for an order on `channel`, carry it out, leave. With `expected_maps`, prepare a user namespace meanwhile."""
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    nest = None
    if expected_maps is not None:
        try:
            nest = create.begin(expected_maps)
        except (PodError, OSError) as error:
            log.debug(
                f"no user namespace was prepared: {error}"
            )  # the order's own attempt will tell the user
    kind, message, fds = channel.receive()
    if not kind:
        if nest is not None:
            nest.abandon()
        processes.leave(0)
    watch = Watch(message[0], channel, fds)
    try:
        watch.run(nest)
    except BaseException as error:  # noqa: BLE001  the process ends here
        watch.starter.send(protocol.ERROR, *processes.describe_error(error))
    processes.leave(0)


class Watch:
    """One container, from the order to the record of its end."""

    def __init__(self, order: dict[str, Any], channel: sockets.Channel, fds: list[int]) -> None:
        self.order = order
        self.bundle: dict[str, Any] = order["bundle"]
        self.loop = Loop()
        self.starter = attach.Client(self.loop, channel, self.on_packet, self.on_drained)
        self.clients = [self.starter]
        self.passed_streams = fds
        self.record = record.Record(order["run_directory"], order["pid_files"])
        self.streams: Streams
        self.network: network.Attachment
        self.container: create.Container
        self.wait_status: int | None = None
        self.may_restart = True
        self.restarts = 0
        self.failures_at_once = 0
        self.timed_out = False
        self.started_ns = 0
        self.is_ending = False
        self.is_finished = False

    def run(self, nest: create.Nest | None) -> None:
        """Start the container, watch it to its end, as often as its restart policy asks for it."""
        try:
            self.record.claim()
            listener = sockets.Listener(self.order["run_directory"], protocol.SOCKET)
            self.start(nest)
        except (PodError, OSError) as error:
            self.starter.send(protocol.ERROR, *processes.describe_error(error))
            self.flush_clients()
            return
        self.starter.send(
            protocol.STARTED, self.container.pid, self.started_ns, self.container.refused_limits
        )
        self.starter.wants_output = self.order["attach"]
        if not self.order["attach"]:
            self.flush_clients()
            self.starter.disconnect()
            self.clients.remove(self.starter)
        self.loop.watch(listener.fileno(), lambda _: self.accept(listener))
        wakeup = signals.Wakeup([signals.SIGCHLD])
        self.loop.watch(wakeup.fileno(), lambda _: self.reap(wakeup))
        signals.ignore([signals.SIGINT, signals.SIGTERM, signals.SIGHUP, signals.SIGQUIT])
        status, out_of_memory, message = self.watch_to_the_end()
        self.loop.forget(listener.fileno())
        listener.close()
        self.finish(status, out_of_memory, message)

    def watch_to_the_end(self) -> tuple[int, bool, str]:
        """Watch and restart; the last exit status, whether memory ran out, and why a restart failed."""
        while True:
            self.loop.run()
            status, out_of_memory = self.after_exit()
            if not self.wants_restart(status):
                return status, out_of_memory, ""
            self.wait_to_restart()
            if not self.may_restart:
                return status, out_of_memory, ""
            self.restarts += 1
            try:
                self.start(None)
            except (PodError, OSError) as error:
                return getattr(error, "exit_status", exits.FAILED), False, str(error)

    def start(self, nest: create.Nest | None) -> None:
        """One start, everything up to execve. On failure nothing of it is left."""
        order = self.order
        self.streams = Streams(self.loop, logs.open_driver(order["log"]))
        self.streams.clients = self.clients
        try:
            container = self.create_container(nest)
            try:
                self.attach_network(container)
            except BaseException:
                create.kill(container)
                raise
        except BaseException:
            self.streams.close()
            self.remove_cgroup()
            raise
        self.container = container
        self.streams.begin()
        exit_fd = os.pidfd_open(container.pid)
        self.loop.watch(exit_fd, lambda _: self.on_exit(exit_fd))
        if order["timeout"]:
            self.loop.set_timer("timeout", order["timeout"], self.on_timeout)
        self.record.write_pid_files(container.pid)

    def create_container(self, nest: create.Nest | None) -> create.Container:
        ends, ours = self.container_streams()
        try:
            if not self.order["runtime"]:
                return create.create(self.right_nest(nest), self.bundle, ends)
            if nest is not None:
                nest.abandon()
            from pod.runtime import external  # needs the json module

            return external.make_container(
                self.bundle,
                runtime=self.order["runtime"],
                run_directory=self.order["run_directory"],
                maps=self.order["maps"],
                user_namespace=self.order["user_namespace"],
                streams=ends,
            )
        finally:
            for fd in ours:
                os.close(fd)

    def attach_network(self, container: create.Container) -> None:
        """The steps from the namespaces to execve; the network helper works while init mounts."""
        self.network = network.begin(self.order["network"], container.pid)
        try:
            self.record.write_state(self.state_of(container))
            ready = container if container.helper else create.wait_until_ready(container)
            if ready.terminal_fd >= 0:
                self.streams.use_terminal(ready.terminal_fd)
            self.network.wait()
            self.started_ns = time.time_ns()
            self.record.write_state(self.state_of(container))
            if container.helper:
                from pod.runtime import external

                external.start(ready)
            else:
                create.start(ready)
        except BaseException:
            self.network.detach()
            raise

    def state_of(self, container: create.Container) -> dict[str, Any]:
        """What other commands need to find the container, and to clean up after a monitor that was killed."""
        return {
            "pid": container.pid,
            "pid_started": container.started,
            "helpers": self.network.processes(),
            "cgroup": self.bundle["cgroup"],
            "started_ns": self.started_ns,
            "restarts": self.restarts,
            "refused_limits": container.refused_limits,
        }

    def container_streams(self) -> tuple[tuple[int, int, int], list[int]]:
        """The descriptors that the container starts with, and those of them that are to be closed here afterwards."""
        if self.order["passthrough"]:
            first, second, third = self.passed_streams[:3]
            return (first, second, third), []
        if self.order["terminal"]:
            null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
            return (null, null, null), [null]
        ends = self.streams.make_pipes(open_input=self.order["open_input"])
        return ends, list(ends)

    def right_nest(self, nest: create.Nest | None) -> create.Nest:
        """The prepared user namespace if it is the one that the order needs, else another."""
        maps, path = self.order["maps"], self.order["user_namespace"]
        if nest is not None and maps is not None and nest.maps == maps:
            return nest
        if nest is not None:
            nest.abandon()
        return create.join_user_namespace(path) if path else create.begin(maps)

    def after_exit(self) -> tuple[int, bool]:
        """Collect the exit status and what is left of the output; let go of network and cgroup."""
        self.loop.cancel_timer("timeout")
        if self.wait_status is None:
            _, self.wait_status = os.waitpid(self.container.pid, 0)
        status, self.wait_status = exits.from_wait_status(self.wait_status), None
        self.streams.drain()
        self.streams.close()
        cgroup = self.bundle["cgroup"]
        out_of_memory = bool(cgroup) and cgroups.out_of_memory_kills(cgroup) > 0
        self.network.detach()
        self.remove_cgroup()
        return status, out_of_memory

    def remove_cgroup(self) -> None:
        """End what is left in the container's cgroup (it may have shared a PID namespace) and remove it."""
        if self.bundle["cgroup"]:
            cgroups.remove_with_processes(self.bundle["cgroup"])

    def wants_restart(self, status: int) -> bool:
        policy, retries = self.order["restart"]["policy"], self.order["restart"]["retries"]
        if not self.may_restart or policy in {"", "no"}:
            return False
        if policy == "on-failure":
            return status != 0 and (retries == 0 or self.restarts < retries)
        return True

    def wait_to_restart(self) -> None:
        """Longer each time the container fails at once: 0.1 s, doubled up to a minute. Clients are served meanwhile."""
        lasted_seconds = (time.time_ns() - self.started_ns) / 1e9
        self.failures_at_once = (
            1 if lasted_seconds > _SETTLED_SECONDS else self.failures_at_once + 1
        )
        delay = min(_LONGEST_RESTART_DELAY, 0.1 * 2 ** (self.failures_at_once - 1))
        self.loop.set_timer("restart", delay, self.loop.stop)
        self.loop.run()
        self.loop.cancel_timer("restart")

    def finish(self, status: int, out_of_memory: bool, message: str) -> None:
        """Record the end: a file first, so that nothing that happens from here on can lose it."""
        ended_ns = time.time_ns()
        self.record.write_exit(
            {
                "status": status,
                "out_of_memory": out_of_memory,
                "timed_out": self.timed_out,
                "started_ns": self.started_ns,
                "ended_ns": ended_ns,
                "restarts": self.restarts,
                "error": message,
            }
        )
        for client in self.clients:
            client.send(protocol.EXITED, status, out_of_memory, ended_ns)
        self.flush_clients()
        if not self.somebody_finished():
            from pod.engine import finish  # heavy, and not needed before

            self.record.release()
            finish.after_monitor(self.order["engine"], self.order["id"])

    def somebody_finished(self) -> bool:
        """Whether a client that promised to record the end has done so; its death or silence counts as no."""
        self.is_ending = True
        if self.is_finished or not self.has_finisher():
            return self.is_finished
        self.loop.set_timer("finish", _FINISH_SECONDS, self.loop.stop)
        self.loop.run()
        return self.is_finished

    def has_finisher(self) -> bool:
        return any(client.is_finishing for client in self.clients)

    def flush_clients(self) -> None:
        """Give clients a second to take what is queued for them."""
        deadline = time.monotonic() + 1
        while any(client.has_unsent() for client in self.clients) and time.monotonic() < deadline:
            self.loop.turn(0.05)

    # What the loop calls

    def accept(self, listener: sockets.Listener) -> None:
        try:
            channel = listener.accept()
        except BlockingIOError:
            return
        self.clients.append(attach.Client(self.loop, channel, self.on_packet, self.on_drained))

    def on_packet(self, client: attach.Client, kind: bytes, value: Any) -> None:
        if not kind:
            self.clients.remove(client)
            if self.is_ending and not self.has_finisher():
                self.loop.stop()
        elif kind == sockets.STDIN:
            self.streams.feed(value)
        elif kind == sockets.MESSAGE:
            self.on_message(client, *value)

    def on_message(self, client: attach.Client, name: str, *values: Any) -> None:
        if name == protocol.ATTACH:
            client.wants_output = True
        elif name == protocol.RESIZE:
            self.streams.resize(*values)
        elif name == protocol.INPUT_ENDS:
            if self.order["input_once"]:
                self.streams.end_input()
        elif name == protocol.NO_RESTART:
            self.may_restart = False
        elif name == protocol.FINISHING:
            client.is_finishing = True
        elif name == protocol.FINISHED:
            self.is_finished = True
            self.loop.stop()

    def on_drained(self) -> None:
        self.streams.resume()

    def on_exit(self, exit_fd: int) -> None:
        self.loop.forget(exit_fd)
        os.close(exit_fd)
        self.loop.stop()

    def on_timeout(self) -> None:
        self.timed_out = True
        self.may_restart = False
        os.kill(self.container.pid, signals.SIGKILL)

    def reap(self, wakeup: signals.Wakeup) -> None:
        """Collect what ended: the container itself, and orphans that came to us from a shared PID namespace."""
        wakeup.take()
        for pid, status in processes.reap_all():
            if pid == self.container.pid:
                self.wait_status = status
