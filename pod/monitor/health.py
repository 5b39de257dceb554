"""Health checks as a monitor sees them: when one is due, who is told, and what an unhealthy container gets.

Loaded for containers that have a health check, and only then. Each check runs in a process of its own
(`engine/health.py`), which records the result in the run directory and ends with the verdict as its status. What that
process needs lies in a memfd, marshalled, so that it costs the monitor nothing.

The monitor's order has under "health": settings (HealthConfig as JSON), saved (the directory with the record of
earlier runs), stop_signal, stop_timeout, check (what engine.health.check gets).
"""

from __future__ import annotations

import fcntl
import marshal
import os
import sys
import time

from pod.base import log
from pod.linux import fresh, processes, signals
from pod.spec import health as rules
from pod.spec import monitor as protocol
from pod.state import health as records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.monitor.main import Watch

_TIMER, _KILL_TIMER = "health", "health-kill"
_LOWEST_FD = 10
_AGAIN_SECONDS = 0.1
_DEFAULTED = (
    signals.SIGINT,
    signals.SIGTERM,
    signals.SIGHUP,
    signals.SIGQUIT,
    signals.SIGPIPE,
    signals.SIGCHLD,
)


class Checks:
    """The health checks of one container."""

    def __init__(self, watch: Watch, settings: dict[str, Any], memory_fd: int) -> None:
        self.memory_fd = memory_fd
        self.checker = 0  # the process that checks at this moment
        self.status = rules.STARTING
        self.is_ending = False  # the container is being ended because of its health
        self._watch = watch
        self._settings = settings

    def begin(self) -> None:
        """A start of the container: its health begins anew, and the first check is made at once, as podman does."""
        self.is_ending = False
        directory = self._directory
        earlier = records.read(directory) or records.read(self._settings["saved"])
        pid_started = self._watch.started["pid_started"]
        now_ns = time.monotonic_ns()
        health = rules.fresh(earlier.get("log", []), pid_started=pid_started, now_ns=now_ns)
        try:
            records.write(directory, health)
        except OSError as error:
            log.warning(f"the health of the container cannot be recorded: {error}")
            return
        self._note(health)
        if rules.next_check_ns(self._settings["settings"], health, now_ns=now_ns):
            self._watch.loop.set_timer(_TIMER, 0, self.check)

    def save(self) -> dict[str, Any]:
        """What `load` needs in the interpreter that goes on; nothing must be under way."""
        return {
            "settings": self._settings,
            "memory_fd": self.memory_fd,
            "status": self.status,
            "seconds_left": self._watch.loop.seconds_left(_TIMER),
        }

    def is_idle(self) -> bool:
        """Whether nothing is under way that another interpreter would not know of."""
        return not self.checker and not self.is_ending

    def change(self, settings: dict[str, Any]) -> None:
        """Check in another way from now on."""
        self.keep(settings["check"])
        self._settings = without_check(settings)
        if not self.checker and not self.is_ending:
            self._schedule(records.read(self._directory))

    def settings_of_check(self) -> dict[str, Any]:
        """What the checking processes are told."""
        data = os.pread(self.memory_fd, os.fstat(self.memory_fd).st_size, 0)
        settings: dict[str, Any] = marshal.loads(data)
        return settings

    def keep(self, check: dict[str, Any]) -> None:
        """Tell the checking processes this from now on."""
        os.close(self.memory_fd)
        self.memory_fd = _keep(check)

    def end(self) -> None:
        """The container ends, or is being stopped: no check begins, and one that runs is given up."""
        for timer in (_TIMER, _KILL_TIMER):
            self._watch.loop.cancel_timer(timer)
        if self.checker:
            try:
                os.kill(self.checker, signals.SIGTERM)  # it ends what it has started
            except ProcessLookupError:
                pass

    def check(self) -> None:
        """Start the process that checks."""
        if self.checker:  # one that has been given up
            self._watch.loop.set_timer(_TIMER, _AGAIN_SECONDS, self.check)
            return
        null = "/dev/null"
        actions = [(os.POSIX_SPAWN_OPEN, number, null, os.O_RDWR, 0) for number in (0, 1, 2)]
        actions.append((os.POSIX_SPAWN_DUP2, self.memory_fd, 3))  # type: ignore[arg-type]  # two kinds of tuples
        try:
            self.checker = os.posix_spawn(
                sys.executable or "/usr/bin/python3",
                fresh.command("pod.engine.health", "resume", 3),
                processes.clean_environment(),
                file_actions=actions,
                setsigdef=_DEFAULTED,
            )
        except OSError as error:
            log.warning(f"a health check cannot be started: {error}")
            self._schedule(records.read(self._directory))

    def on_end(self, status: int) -> None:
        """The process that checks has ended."""
        self.checker = 0
        verdict = os.waitstatus_to_exitcode(status)
        self.take(verdict if verdict in {rules.ON_FAILURE, rules.RESTART} else rules.NOTHING)

    def take(self, verdict: int) -> None:
        """A check has been made and recorded, by us or by `pod healthcheck run`."""
        if self._watch.has_ended or not self._watch.may_restart:
            return  # it is being stopped
        health = records.read(self._directory)
        if health:
            self._note(health)
        if verdict != rules.NOTHING and not self.is_ending:
            action = self._settings["settings"].get("on_failure", "none")
            self._act("restart" if verdict == rules.RESTART else action)
        if not self.is_ending and not self.checker:
            self._schedule(health)

    def _schedule(self, health: dict[str, Any]) -> None:
        self._watch.loop.cancel_timer(_TIMER)
        if not health:
            return
        settings = self._settings["settings"]
        wait_ns = rules.next_check_ns(settings, health, now_ns=time.monotonic_ns())
        if wait_ns is not None:
            self._watch.loop.set_timer(_TIMER, wait_ns / 1e9, self.check)

    def _note(self, health: dict[str, Any]) -> None:
        """Tell those who wait for it when the status has changed."""
        if health["status"] == self.status:
            return
        self.status = health["status"]
        if self._watch.notifier is not None:
            self._watch.notifier.take_health(self.status)
        for client in tuple(self._watch.clients):
            if client.wants_health:
                client.send(protocol.HEALTH, self.status)

    def _act(self, action: str) -> None:
        """End the container, and have it started again for "restart"; "kill" and "stop" are for good, as in podman."""
        if action == "none":
            return
        self.is_ending = True
        self._watch.loop.cancel_timer(_TIMER)
        if action == "restart":
            self._watch.must_restart = True
        else:
            self._watch.may_restart = False
        self._watch.ended_by_health = action
        if action == "kill":
            self._kill()
            return
        self._signal(signals.parse(self._settings["stop_signal"]))
        if self._settings["stop_timeout"] >= 0:
            self._watch.loop.set_timer(_KILL_TIMER, self._settings["stop_timeout"], self._kill)

    def _kill(self) -> None:
        cgroup = self._watch.order["bundle"]["cgroup"]
        if cgroup:
            from pod.linux import cgroups  # not at the top: see Watch.let_go

            if cgroups.kill(cgroup):
                return
        self._signal(signals.SIGKILL)

    def _signal(self, number: int) -> None:
        started = self._watch.started
        processes.send_signal(started["pid"], started["pid_started"], number)

    @property
    def _directory(self) -> str:
        directory: str = self._watch.order["run_directory"]
        return directory


def new(watch: Watch, settings: dict[str, Any]) -> Checks:
    """The checks that an order, or an update, asks for."""
    return Checks(watch, without_check(settings), _keep(settings["check"]))


def load(watch: Watch, saved: dict[str, Any]) -> Checks:
    """The checks that another interpreter has begun."""
    checks = Checks(watch, saved["settings"], saved["memory_fd"])
    checks.status = saved["status"]
    if saved["seconds_left"] is not None:
        watch.loop.set_timer(_TIMER, saved["seconds_left"], checks.check)
    return checks


def without_check(settings: dict[str, Any]) -> dict[str, Any]:
    """What the monitor itself needs of its order."""
    return {name: value for name, value in settings.items() if name != "check"}


def _keep(check: dict[str, Any]) -> int:
    """A descriptor of what the checking processes are told."""
    small = os.memfd_create("pod-health", os.MFD_CLOEXEC)
    try:
        # Not 3, which it becomes in the process that checks: there it must lose its close-on-exec.
        memory_fd = fcntl.fcntl(small, fcntl.F_DUPFD_CLOEXEC, _LOWEST_FD)
    finally:
        os.close(small)
    data = memoryview(marshal.dumps(check))
    while data:
        data = data[os.write(memory_fd, data) :]
    return memory_fd
