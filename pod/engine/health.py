"""One health check of a running container, from the command to the record of its result.

A monitor does not check in its own process: it starts a fresh interpreter for each check (`resume`), since entering a
container takes modules that watching does not. When checks are due and what follows from them is in
`monitor/health.py`, the rules are in `spec/health.py`, what people call is in `engine/healthcheck.py`.
"""

from __future__ import annotations

import marshal
import os
import time

from pod.base import exits, files, log, plainjson, times
from pod.base.errors import PodError
from pod.linux import processes, syscalls
from pod.linux.signals import SIGTERM
from pod.runtime import probe
from pod.spec import health as rules
from pod.spec.health import HealthConfig
from pod.state import events, reconcile
from pod.state import health as records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from pod.state.reconcile import Run

_KILLED = 137
_END_SECONDS = 0.5
_NS = 1e9


class Checked:
    """What a check has shown: the health afterwards, whether it `succeeded`, and the verdict, see spec/health.py."""

    def __init__(self, health: dict[str, Any], verdict: int, *, succeeded: bool) -> None:
        self.health = health
        self.verdict = verdict
        self.succeeded = succeeded


def check(order: dict[str, Any]) -> Checked | None:
    """Check once and record the result; None when the container does not run, or has ended or paused meanwhile.

    `order` is plain data: id, run_directory, config (HealthConfig as JSON), join (runtime/join.py, without the process
    to join), cgroup, events (state/events.py).
    """
    directory = order["run_directory"]
    running = _running(directory)
    before = records.read(directory)
    if running is None or before.get("pid_started") != running.state["pid_started"]:
        return None
    config = HealthConfig.from_json(order["config"])
    is_startup = rules.is_startup(config, before)
    chosen = config.startup if is_startup and config.startup is not None else config
    began_ns, began = time.monotonic_ns(), time.time_ns()
    timeout_ns = chosen.timeout_ns or rules.DEFAULT_TIMEOUT_NS
    outcome = _probe(order, running, chosen.test, timeout_ns, config.max_log_size)
    ended = began + time.monotonic_ns() - began_ns  # a clock that was set meanwhile does not matter
    if not _still_runs(directory, running, outcome):
        return None
    entry = {
        "Start": times.rfc3339(began, local=True),
        "End": times.rfc3339(ended, local=True),
        "ExitCode": outcome.status,
        "Output": _text(outcome, timeout_ns, config.max_log_size),
    }
    verdict = rules.NOTHING

    def change(health: dict[str, Any]) -> dict[str, Any] | None:
        nonlocal verdict
        if health["pid_started"] != running.state["pid_started"]:
            return None  # it was restarted
        health, verdict = rules.after(config, health, entry, now_ns=began_ns)
        return health

    health = records.change(directory, change)
    if health is None:
        return None
    _tell(order, config, health, entry)
    return Checked(health, verdict, succeeded=outcome.status == 0)


def _running(run_directory: str) -> Run | None:
    """The run of a container whose processes can do something."""
    try:
        run = reconcile.read_run(run_directory)
    except OSError:
        return None
    return run if run.condition == "running" else None


def _still_runs(run_directory: str, running: Run, outcome: probe.Outcome) -> bool:
    """Whether the result is about the health of the container, and not about its end or a pause."""
    pid, started = running.pid, running.state["pid_started"]
    if outcome.status == _KILLED:
        # The end of process 1 kills all others first (pid_namespaces(7)): it may just be about to end.
        processes.wait_until_gone(pid, started, timeout_seconds=_END_SECONDS)
    now = _running(run_directory)
    return now is not None and now.pid == pid and processes.is_alive(pid, started)


def _probe(
    order: dict[str, Any], running: Run, test: tuple[str, ...], timeout_ns: int, most: int
) -> probe.Outcome:
    join = {
        **order["join"],
        "container_pid": running.pid,
        "container_started": running.state["pid_started"],
    }
    join["process"] = {**join["process"], "args": list(rules.arguments(test))}
    most_bytes = 4 * most if most else rules.MOST_LOG_BYTES  # a character has up to 4 bytes
    return probe.probe(
        join, order["cgroup"], timeout_seconds=timeout_ns / _NS, most_bytes=most_bytes
    )


def _text(outcome: probe.Outcome, timeout_ns: int, most: int) -> str:
    text = outcome.output.decode("utf-8", "replace")
    if outcome.status == probe.TIMED_OUT:
        from pod.base.units import format_duration_ns

        said = f"the check was killed after {format_duration_ns(timeout_ns)}"
        text = f"{said}; until then it said:\n{text}" if text else said
    return text[:most] if most else text


def _tell(
    order: dict[str, Any], config: HealthConfig, health: dict[str, Any], entry: dict[str, Any]
) -> None:
    """The event, and the log that --health-log-destination asks for."""
    attributes: dict[str, str] = {}
    if config.log_destination == "events_logger":
        attributes = {"health_log": plainjson.dumps(entry)}
    elif config.log_destination != "local":
        shown = {
            "Status": health["status"],
            "FailingStreak": health["failing_streak"],
            "Log": health["log"],
        }
        path = f"{config.log_destination}/{order['id']}-healthcheck.log"
        try:
            files.write_json(path, shown, sync=False)
        except OSError as error:
            log.warning(f"the log of health checks '{path}' cannot be written: {error.strerror}")
    events.emit(order, "health_status", health=health["status"], **attributes)  # type: ignore[arg-type]  # no key is one of its own


def resume(order_fd: int) -> NoReturn:
    """What a monitor starts: check as the file says; the exit status is the verdict."""
    status = rules.NOTHING
    try:
        os.setsid()
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, SIGTERM)
        size = os.fstat(order_fd).st_size
        checked = check(marshal.loads(os.pread(order_fd, size, 0)))
        if checked is not None:
            status = checked.verdict
    except (PodError, OSError) as error:
        log.warning(f"a health check could not be made: {error}")
        status = exits.FAILED
    processes.leave(status)
