"""A monitor that has started its container goes on in a fresh, small interpreter.

Starting needs modules of three megabytes that watching does not; Python gives memory back to the kernel only when a
process ends. execve(2) keeps what matters: process id, children, being a subreaper, descriptors, locks. What the new
interpreter must know is written into a memfd.
"""

from __future__ import annotations

import marshal
import os
import sys

from pod.base import faults
from pod.linux import fresh, signals, sockets
from pod.monitor import logs
from pod.monitor.main import Watch
from pod.monitor.streams import Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def is_possible(watch: Watch) -> bool:
    """Whether nothing is half done: no output or input in our buffers, no command that is about to record the end."""
    if watch.health is not None and not watch.health.is_idle():
        return False
    if watch.notifier is not None and watch.notifier.is_ending:
        return False
    return watch.streams.is_idle() and not any(client.has_unsent() for client in watch.clients)


def execute(watch: Watch) -> None:
    """Replace this process's program. Returns only when that cannot be done, and then nothing has changed."""
    if not sys.executable:
        return
    state = _state_of(watch)
    # What it handles would end it until the new program does so as well; that lets them through (Watch.run).
    signals.block([signals.SIGTERM])
    if watch.wakeup is not None and watch.wakeup.is_pending():
        # One that came before would go with the pipe that tells of it.
        signals.unblock([signals.SIGTERM])
        return
    memory = os.memfd_create("pod-monitor", 0)  # not close-on-exec
    kept = [*state["fds"].values(), *watch.streams.descriptors(), *state["client_fds"]]
    kept += state["started"]["network"]["fds"]
    if watch.order["restart"] or watch.health is not None:
        kept += watch.passed_streams
    if watch.health is not None:
        kept.append(watch.health.memory_fd)
    if watch.notifier is not None:
        kept += watch.notifier.descriptors()
    try:
        data = memoryview(marshal.dumps(state))
        while data:
            data = data[os.write(memory, data) :]
        for fd in kept:
            os.set_inheritable(fd, True)
        os.execv(sys.executable, fresh.command("pod.monitor.resume", "resume", memory))
    except OSError:
        for fd in kept:
            os.set_inheritable(fd, False)
        os.close(memory)
        signals.unblock([signals.SIGTERM])


def _state_of(watch: Watch) -> dict[str, Any]:
    return {
        "order": _kept_of(watch.order),
        "started": watch.started,
        "may_restart": watch.may_restart,
        "timed_out": watch.timed_out,
        "restarts": watch.restarts,
        "failures_in_a_row": watch.failures_in_a_row,
        "seconds_to_timeout": watch.loop.seconds_left("timeout"),
        "passed_streams": watch.passed_streams,
        "streams": watch.streams.save(),
        "health": None if watch.health is None else watch.health.save(),
        "notifier": None if watch.notifier is None else watch.notifier.save(),
        "clients": [
            (client.wants_output, client.is_finishing, client.wants_health)
            for client in watch.clients
        ],
        "client_fds": [client.fileno() for client in watch.clients],
        "fds": {"listener": watch.listener.fileno(), "lock": watch.files.lock_fd},
    }


_NEEDED = (
    "id",
    "run_directory",
    "log",
    "restart",
    "input_once",
    "attach",
    "timeout",
    "pid_files",
    "engine",
    "events",
)


def _kept_of(order: dict[str, Any]) -> dict[str, Any]:
    """What watching needs of an order; the whole of it packed, when it may be needed for a restart."""
    kept = {name: order[name] for name in _NEEDED}
    kept["bundle"] = {"cgroup": order["bundle"]["cgroup"]}
    kept["health"] = None  # what is left of it, Checks has
    kept["packed"] = order.get("packed", b"")
    if "packed" not in order and (order["restart"] or order["health"]):
        kept["packed"] = marshal.dumps(order)
    return kept


def resume(memory: int) -> NoReturn:
    """Rebuild the watch from the memfd and go on; never returns."""
    with open(memory, "rb") as file:
        file.seek(0)
        state = marshal.loads(file.read())
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError:
                continue  # the descriptor of the listing
    watch = Watch(state["order"])
    watch.started = state["started"]
    watch.may_restart = state["may_restart"]
    watch.timed_out = state["timed_out"]
    watch.restarts = state["restarts"]
    watch.failures_in_a_row = state["failures_in_a_row"]
    watch.passed_streams = state["passed_streams"]
    watch.files.lock_fd = state["fds"]["lock"]
    watch.listener = sockets.Listener.from_fd(state["fds"]["listener"])
    watch.streams = Streams(watch.loop, logs.open_driver(watch.order["log"]))
    watch.streams.load(state["streams"])
    watch.serve_clients()
    for fd, wishes in zip(state["client_fds"], state["clients"], strict=True):
        client = watch.add_client(sockets.from_fd(fd))
        client.wants_output, client.is_finishing, client.wants_health = wishes
    watch.streams.begin()
    watch.watch_container()
    if state["health"] is not None:
        from pod.monitor import health  # few containers have one

        watch.health = health.load(watch, state["health"])
    if state["notifier"] is not None:
        from pod.monitor import notify  # for services only

        watch.notifier = notify.load(watch, state["notifier"])
    if state["seconds_to_timeout"] is not None:
        watch.loop.set_timer("timeout", state["seconds_to_timeout"], watch.on_timeout)
    faults.step("monitor: shrunk")
    watch.run()
