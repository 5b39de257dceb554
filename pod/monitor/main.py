"""The process that watches one container: creates and starts it, moves its output, restarts it, records its end.

It is forked by the command that starts a container, early, from a small interpreter (`prefork.py`); it has its own
session, inherits the container's process 1 (subreaper), and outlives the command. When the container has settled, it
goes on in a fresh interpreter that has only this module and what watching needs (`resume.py`); a restart imports the
rest again, the end imports the engine.

What it is told to do, the *order*, is plain data:

    id              of the container
    row             what its state file says of the container's row, see state/reconcile.py
    bundle          what to create, see runtime/create.py
    maps            the id maps, or None with
    user_namespace  the path of the user namespace to join
    run_directory   where its state and socket are
    runtime         path and global options of an external OCI runtime; [] for the built-in one
    log             settings of the log driver, see logs.py
    network         what netns.attach gets
    restart         the RestartPolicy as JSON
    open_input      whether standard input is a pipe that clients feed
    input_once      whether it is closed when a client's input ends
    terminal        whether the container has a terminal
    passthrough     whether the command's own streams, passed with the order, are the container's
    attach          whether the command stays to see the output
    held            whether the container is left just before its command, until LET_GO (`pod init`)
    timeout         seconds until the container is killed; 0 for no limit
    pid_files       {"monitor": path, "container": path}, "" for none
    engine          what engine/finish.py needs to find the state
    events          what pod/state/events.py needs to record events of the container
    health          what monitor/health.py needs; None without health checks
    notify          what monitor/notify.py needs; None where no service manager wants to know
"""

from __future__ import annotations

import marshal
import os
import time

from pod.base import exits, faults, log
from pod.base.errors import PodError
from pod.linux import processes, signals, sockets
from pod.linux.loop import Loop
from pod.monitor import attach, record
from pod.spec import monitor as protocol
from pod.spec import restart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from pod.monitor.health import Checks
    from pod.monitor.notify import Notifier
    from pod.monitor.starting import Prepared
    from pod.monitor.streams import Streams
    from pod.runtime.create import Container

_FINISH_SECONDS = faults.seconds(
    "FINISH", 60.0
)  # that a command may take to show the rest of the output
_RETRY_SECONDS = 1.0
_MOST_SECONDS_TO_TELL = 30.0
# Most containers that live longer live long; and those who start many at once want the processors meanwhile.
_SHRINK_SECONDS = faults.seconds("SHRINK", 12.0)


def main(
    channel: sockets.Channel,
    order: dict[str, Any],
    fds: list[int],
    prepared: Prepared,
) -> NoReturn:
    """Carry out the order that came on `channel` with `fds`, and leave when the container has ended."""
    watch = Watch(order)
    starter = watch.add_client(channel)
    try:
        watch.begin(prepared, starter, fds)
    except BaseException as error:  # noqa: BLE001  told to the command; the process ends here
        prepared.abandon()
        starter.send(protocol.ERROR, *processes.describe_error(error))
        watch.flush_clients()
        if order["notify"]:
            # A service's main process: with it, systemd ends the command, which has to say what was wrong first.
            channel.await_end(_MOST_SECONDS_TO_TELL)
        processes.leave(exits.FAILED)
    watch.run()


class Watch:
    """One container, from its start to the record of its end."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.loop = Loop()
        self.clients: list[attach.Client] = []
        self.wakeup: signals.Wakeup | None = None
        self.files = record.Files(order["run_directory"], order["pid_files"])
        self.restart_policy = restart.RestartPolicy.from_json(order["restart"])
        self.passed_streams: list[int] = []
        self.listener: sockets.Listener
        self.streams: Streams
        self.started: dict[str, Any] = {}  # a starting.Started as plain data
        self.held: Container | None = None  # it waits to become its command
        self.wait_status: int | None = None
        self.may_restart = True
        self.health: Checks | None = None
        self.notifier: Notifier | None = None
        self.must_restart = False  # whatever the policy says: its health asks for it
        self.ended_by_health = ""  # what was done to it then: "kill", "stop", "restart"
        self.restarts = 0
        self.failures_in_a_row = 0
        self.is_waiting = False
        self.timed_out = False
        self.has_ended = False  # its exit status has not been looked at yet
        self.is_ending = False
        self.is_finished = False

    def begin(self, prepared: Prepared, starter: attach.Client, fds: list[int]) -> None:
        """The first start; tells the command that asked for it. Raises what keeps the container from running."""
        self.passed_streams = fds
        faults.step("monitor: ordered")
        self.files.claim()
        faults.step("monitor: claimed")
        self.listener = sockets.Listener(self.order["run_directory"], protocol.SOCKET)
        if self.order["notify"]:
            from pod.monitor import notify  # for services only

            self.notifier = notify.new(self)
        self.start(prepared)
        faults.step("monitor: started")
        if self.order["restart"]:
            # The command would do so, but not always before the container has ended and is told to be restarted.
            from pod.state.events import START_STATUSES

            count = 1 if self.held is not None else 3 if self.order["attach"] else 2
            for event in START_STATUSES[:count]:
                self.tell(event)
        self.say_started(starter)
        if not starter.is_connected:
            self.abandon()
            raise PodError("the command that started the container has gone before it was told")
        if self.order["attach"]:
            starter.wants_output = starter.is_finishing = True
        else:
            self.flush_clients()
            starter.disconnect()

    def run(self) -> NoReturn:
        """Watch the running container to its end, as often as its restart policy starts it again; never returns."""
        signals.ignore([signals.SIGINT, signals.SIGHUP, signals.SIGQUIT])
        if self.notifier is None:
            signals.ignore([signals.SIGTERM])  # else one that is pending is not lost
            wakeup = signals.Wakeup([signals.SIGCHLD])
        else:
            wakeup = signals.Wakeup([signals.SIGCHLD, signals.SIGTERM])
        signals.unblock([signals.SIGTERM])
        self.wakeup = wakeup
        self.loop.watch(wakeup.fileno(), lambda _: self.reap(wakeup))
        self.reap(wakeup)  # what ended before
        if self.notifier is not None:
            self.notifier.watch()
        self.listen()
        end = self.watch_to_the_end()
        self.loop.forget(self.listener.fileno())
        self.listener.close()
        self.finish(*end)
        self.flush_clients(None)
        processes.leave(self.own_status(end[0]))

    def own_status(self, status: int) -> int:
        """What systemd sees where this is the main process of a unit: the container's, unless its end was wanted."""
        is_wanted = not (self.may_restart or self.timed_out or self.ended_by_health)
        return 0 if is_wanted else status

    def watch_to_the_end(self) -> tuple[int, bool, str]:
        """Watch and restart; the last exit status, whether memory ran out, and why a restart failed."""
        while True:
            self.loop.run()
            status, out_of_memory = self.after_exit()
            if not self.wants_restart(status):
                return status, out_of_memory, ""
            if out_of_memory:
                self.tell("oom")
            self.tell("died", exit_code=status)
            self.wait_to_restart()
            if not self.may_restart:
                return status, out_of_memory, ""
            self.restarts += 1
            try:
                self.start(None)
            except (PodError, OSError) as error:
                return getattr(error, "exit_status", exits.FAILED), False, str(error)
            for event in ("restart", "init", "start"):
                self.tell(event)

    def tell(self, event: str, *, exit_code: int | None = None) -> None:
        """Record an event of the container."""
        from pod.state import events  # not at the top: memory in every monitor

        events.emit(self.order, event, exit_code=exit_code)

    def start(self, prepared: Prepared | None) -> None:
        """One start, everything up to execve. On failure nothing of it is left."""
        from pod.monitor import starting

        packed = self.order.get("packed")  # by resume.py, or changed since
        order = marshal.loads(packed) if packed else self.order
        started, self.streams, self.held = starting.start(
            order, self.files, self.loop, self.passed_streams, prepared, self.restarts
        )
        self.started = dict(started.__dict__)
        if not self.order["restart"]:
            # The container has them; whoever has the other ends must see when it closes them.
            for fd in self.passed_streams:
                os.close(fd)
            self.passed_streams = []
        self.serve_clients()
        self.watch_container()
        if self.held is None:
            self.begin_timers()

    def begin_timers(self) -> None:
        """What is due some time after the container has begun to run its command."""
        self.loop.set_timer("shrink", _SHRINK_SECONDS, self.shrink)
        self.begin_health()
        if self.order["timeout"]:
            self.loop.set_timer("timeout", self.order["timeout"], self.on_timeout)

    def say_started(self, client: attach.Client) -> None:
        client.send(
            protocol.STARTED,
            self.started["pid"],
            self.started["started_ns"],
            self.started["refused_limits"],
        )

    def abandon(self) -> None:
        """End the container that has just been started."""
        processes.send_signal(self.started["pid"], self.started["pid_started"], signals.SIGKILL)
        self.after_exit()

    def serve_clients(self) -> None:
        """Connect the clients with the streams of this run."""
        self.streams.clients = self.clients
        self.streams.on_input_taken = self.read_on

    def watch_container(self) -> None:
        """Be called when process 1 of the container ends."""
        self.has_ended = False
        exit_fd = os.pidfd_open(self.started["pid"])
        self.loop.watch(exit_fd, lambda _: self.on_exit(exit_fd))

    def after_exit(self) -> tuple[int, bool]:
        """Collect the exit status and what is left of the output; let go of network and cgroup."""
        for timer in ("timeout", "shrink"):
            self.loop.cancel_timer(timer)
        if self.health is not None:
            self.health.end()
        if self.wait_status is None:
            _, self.wait_status = os.waitpid(self.started["pid"], 0)
        status, self.wait_status = exits.from_wait_status(self.wait_status), None
        if self.held is not None:
            self.may_restart = False  # it was ended before it had begun
            self.held.channel.close()
            self.held = None
        if self.notifier is not None:
            self.notifier.drain()
        self.streams.drain()
        self.streams.close()
        self.read_on()
        processes.end_servers(self.started["servers"])
        try:
            out_of_memory = self.release()
            self.run_hooks()
        except ImportError:
            out_of_memory = False  # pod was removed meanwhile
        return status, out_of_memory

    def run_hooks(self) -> None:
        """Those of the kind poststop, where the container has any."""
        if os.path.isdir(f"{self.order['run_directory']}/{protocol.BUNDLE}"):
            from pod.runtime import hooks

            hooks.run_after_end(self.order["id"], self.order["run_directory"])

    def release(self) -> bool:
        """End what served the container: network helpers and what is left in its cgroup; whether memory ran out."""
        # Not at the top: 80 KB in every monitor, for as long as its container runs.
        from netns import release
        from pod.linux import cgroups

        cgroup = self.order["bundle"]["cgroup"]
        out_of_memory = bool(cgroup) and cgroups.out_of_memory_kills(cgroup) > 0
        release.release(self.started["network"])
        if cgroup:
            # A PID namespace that is shared has kept processes of this container alive.
            cgroups.remove_with_processes(cgroup)
        release.wait_until_released(self.started["network"])
        return out_of_memory

    def wants_restart(self, status: int) -> bool:
        # Both count from the boot, so that setting the clock changes nothing (proc(5), starttime).
        began = self.started["pid_started"] / os.sysconf("SC_CLK_TCK")
        if self.restart_policy.is_steady(time.clock_gettime(time.CLOCK_BOOTTIME) - began):
            self.failures_in_a_row = 0
        if self.must_restart and self.may_restart:
            return True
        return restart.should_restart(
            self.restart_policy,
            exit_status=status,
            restarts=self.failures_in_a_row,
            stopped_by_user=not self.may_restart,
        )

    def wait_to_restart(self) -> None:
        """Longer each time the container fails at once. Clients are served meanwhile."""
        state = record.state_of(self.order, self.started, self.restarts, restarting=True)
        try:
            self.files.write_state(state)
        except OSError as error:
            log.warning(f"that the container is being restarted cannot be said: {error}")
        self.loop.set_timer(
            "restart",
            self.restart_policy.delay_seconds(self.failures_in_a_row),
            self.loop.stop,
        )
        self.is_waiting = True
        self.loop.run()
        self.is_waiting = False
        self.loop.cancel_timer("restart")
        self.failures_in_a_row += 1

    def finish(self, status: int, out_of_memory: bool, message: str) -> None:
        """Record the end: a file first, so that nothing that happens from here on can lose it."""
        faults.step("monitor: ended")
        ended_ns = time.time_ns()
        end = {
            "status": status,
            "out_of_memory": out_of_memory,
            "timed_out": self.timed_out,
            "started_ns": self.started["started_ns"],
            "ended_ns": ended_ns,
            "restarts": self.restarts,
            "error": message or self.why_ended(),
            "ended_by_health": self.ended_by_health,
        }
        try:
            self.files.write_exit(end)
        except OSError as error:
            log.error(f"how the container ended cannot be written: {error}")
        faults.step("monitor: exit file")
        for client in tuple(self.clients):
            client.send(protocol.EXITED, status, out_of_memory, ended_ns)
        faults.step("monitor: told")
        if not self.somebody_finished():
            from pod.engine import finish  # heavy, and not needed before

            self.files.release()
            finish.after_monitor(self.order["engine"], self.order["id"])

    def why_ended(self) -> str:
        """The reason in words, where it was neither the container's nor the user's doing."""
        done = {"kill": "killed", "stop": "stopped"}.get(self.ended_by_health)
        return f"it was {done} because it was unhealthy" if done else ""

    def somebody_finished(self) -> bool:
        """Whether a client that promised to record the end has done so; its death or silence counts as no.

        Clients are served meanwhile: what the container wrote last may still be on its way to a slow one.
        """
        self.is_ending = True
        if self.is_finished or not self.has_finisher():
            return self.is_finished
        self.loop.set_timer("finish", _FINISH_SECONDS, self.loop.stop)
        self.loop.run()
        return self.is_finished

    def has_finisher(self) -> bool:
        return any(client.is_finishing for client in self.clients)

    def listen(self) -> None:
        self.loop.watch(self.listener.fileno(), lambda _: self.accept())

    def add_client(self, channel: sockets.Channel) -> attach.Client:
        client = attach.Client(self.loop, channel, self.on_packet, self.on_drained)
        self.clients.append(client)
        return client

    def flush_clients(self, seconds: float | None = 1.0) -> None:
        """Give clients time to take what is queued for them; None: as long as they are there."""
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        while any(client.has_unsent() for client in self.clients) and time.monotonic() < deadline:
            self.loop.turn(None if seconds is None else 0.05)

    # What the loop calls

    def shrink(self) -> None:
        """Go on in a fresh interpreter, unless something is under way; then try later.

        Not when the container has ended in the same turn of the loop: its exit status would be lost.
        """
        if self.has_ended or self.wait_status is not None:
            return
        from pod.monitor import resume

        if resume.is_possible(self):
            resume.execute(self)
        self.loop.set_timer("shrink", _SHRINK_SECONDS, self.shrink)

    def accept(self) -> None:
        while True:
            try:
                channel = self.listener.accept()
            except BlockingIOError:
                return
            except OSError as error:  # no descriptor is left
                log.warning(f"a client cannot be served: {error}")
                self.loop.forget(self.listener.fileno())
                self.loop.set_timer("listen", _RETRY_SECONDS, self.listen)
                return
            # That it attaches, for example, was said before the output that is read next.
            self.add_client(channel).take()

    def on_packet(self, client: attach.Client, kind: bytes, value: Any) -> None:
        if not kind:
            self.clients.remove(client)
            if self.is_ending and not self.has_finisher():
                self.loop.stop()
        elif kind == sockets.STDIN:
            self.streams.feed(value)
            if not self.streams.takes_input:
                client.stop_reading()
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
            if self.health is not None:
                self.health.end()
            client.send(protocol.NOTED)
            if self.is_waiting:
                self.loop.stop()
        elif name == protocol.HEALTH:
            client.wants_health = True
            client.send(protocol.HEALTH, "" if self.health is None else self.health.status)
        elif name == protocol.CHECKED:
            if self.health is not None:
                self.health.take(*values)
        elif name in (protocol.LET_GO, protocol.ORDER, protocol.RENAMED):
            from pod.monitor import requests  # not at the top: memory in every monitor

            requests.answer(self, client, name, *values)
        elif name == protocol.FINISHING:
            client.is_finishing = True
        elif name == protocol.FINISHED:
            self.is_finished = True
            self.loop.stop()

    def begin_health(self) -> None:
        """The container runs its command from now on."""
        self.must_restart, self.ended_by_health = False, ""
        if self.health is None and self.order["health"]:
            from pod.monitor import health  # few containers have one

            self.health = health.new(self, self.order["health"])
        if self.health is not None:
            self.health.begin()

    def on_drained(self) -> None:
        self.streams.resume()

    def read_on(self) -> None:
        for client in tuple(self.clients):
            client.read_on()

    def on_exit(self, exit_fd: int) -> None:
        self.has_ended = True
        self.loop.forget(exit_fd)
        os.close(exit_fd)
        self.loop.stop()

    def on_terminate(self) -> None:
        """The service whose main process we are is stopped."""
        self.may_restart = False
        if self.is_waiting:
            self.loop.stop()
        elif self.notifier is not None:
            self.notifier.end()

    def on_timeout(self) -> None:
        self.timed_out = True
        self.may_restart = False
        processes.send_signal(self.started["pid"], self.started["pid_started"], signals.SIGKILL)

    def reap(self, wakeup: signals.Wakeup) -> None:
        """Collect what ended: the container itself, and orphans that came to us."""
        if signals.SIGTERM in wakeup.take():
            self.on_terminate()
        for pid, status in processes.reap_all():
            if pid == self.started["pid"]:
                self.wait_status = status
            elif self.health is not None and pid == self.health.checker:
                self.health.on_end(status)
