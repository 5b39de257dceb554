"""kill, delete, pause, resume, update: what is done to a container that exists."""

from __future__ import annotations

import json
import os
import time

from pod.base.errors import PodError, UsageError
from pod.linux import cgroups, processes, signals
from pod.runtime import hooks
from pod.runtime.command import bundles, shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.runtime.command.grammar import Given
    from pod.runtime.command.states import Saved, States

_END_SECONDS = 10.0
_FREEZE_SECONDS = 10.0
_TICK_SECONDS = 0.005


def kill(store: States, name: str, signal: str, *, everybody: bool) -> None:
    """Send a signal to process 1 of the container, or to all of its processes."""
    number = signals.parse(signal)
    saved = store.load(name)
    status = store.status(saved)
    if everybody and saved.cgroup:
        _kill_all(saved, number)
        return
    if status not in {"created", "running", "paused"} or not processes.send_signal(
        saved.pid, saved.started, number
    ):
        raise PodError(f"container '{name}' is not running: no such process")


def _kill_all(saved: Saved, number: int) -> None:
    if number == signals.SIGKILL:
        cgroups.kill(saved.cgroup)
        return
    for pid in cgroups.processes(saved.cgroup):
        if pid:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass


def delete(store: States, name: str, *, force: bool) -> None:
    """Remove a stopped container: its cgroup and its state; `force` ends it first, and minds no absence."""
    if force and not os.path.isdir(store.directory(name)):
        return
    try:
        saved = store.load(name)
    except PodError:
        if force:
            store.remove(name)  # what a `create` that was killed has left
            return
        raise
    status = store.status(saved)
    if status not in {"stopped", "creating"}:
        if not force:
            raise PodError(f"container '{name}' cannot be deleted: it is {status}")
        _end(saved)
    if saved.cgroup:
        cgroups.remove_with_processes(saved.cgroup)
    hooks.run_all(store.config(name), "poststop", json.dumps(store.document(saved, "stopped")))
    store.remove(name)


def _end(saved: Saved) -> None:
    if saved.cgroup:
        cgroups.freeze(saved.cgroup, frozen=False)
    processes.send_signal(saved.pid, saved.started, signals.SIGKILL)
    if not processes.wait_until_gone(saved.pid, saved.started, timeout_seconds=_END_SECONDS):
        raise PodError(f"container '{saved.id}' does not end after SIGKILL")


def pause(store: States, name: str) -> None:
    """Freeze all processes of the container."""
    saved = store.load(name)
    status = store.status(saved)
    if status not in {"created", "running"}:
        raise PodError(f"container '{name}' cannot be paused: it is {status}")
    _freeze(saved, frozen=True)


def resume(store: States, name: str) -> None:
    """Let the processes of a paused container go on."""
    saved = store.load(name)
    status = store.status(saved)
    if status != "paused":
        raise PodError(f"container '{name}' cannot be resumed: it is {status}")
    _freeze(saved, frozen=False)


def _freeze(saved: Saved, *, frozen: bool) -> None:
    if not saved.cgroup:
        raise PodError(f"container '{saved.id}' cannot be paused: it has no cgroup of its own")
    cgroups.freeze(saved.cgroup, frozen)
    deadline = time.monotonic() + _FREEZE_SECONDS
    while cgroups.is_frozen(saved.cgroup) != frozen:
        if time.monotonic() > deadline:
            raise PodError(f"the processes of container '{saved.id}' do not stop")
        time.sleep(_TICK_SECONDS)


_NUMBERS = {  # option -> where its value stands in `linux.resources`
    "blkio-weight": ("blockIO", "weight"),
    "cpu-period": ("cpu", "period"),
    "cpu-quota": ("cpu", "quota"),
    "cpu-share": ("cpu", "shares"),
    "memory": ("memory", "limit"),
    "memory-reservation": ("memory", "reservation"),
    "memory-swap": ("memory", "swap"),
    "pids-limit": ("pids", "limit"),
}
_TEXTS = {"cpuset-cpus": ("cpu", "cpus"), "cpuset-mems": ("cpu", "mems")}


def update(store: States, given: Given) -> None:
    """Change limits of a container that exists, by options or by a file of `linux.resources`."""
    if len(given.words) != 1:
        raise UsageError("update needs the name of a container")
    saved = store.load(given.words[0])
    status = store.status(saved)
    if status not in {"created", "running", "paused"}:
        raise PodError(f"container '{saved.id}' cannot be updated: it is {status}")
    resources: dict[str, Any] = {}
    if path := given.text("resources"):
        data = os.read(0, 1 << 20) if path == "-" else None
        document = (
            bundles.read_document(path)
            if data is None
            else bundles.parse_document(data, "standard input")
        )
        resources = shape.checked(document, shape.RESOURCES, "")
    for option, (part, name) in _NUMBERS.items():
        number = given.number(option)
        if number is not None:
            resources.setdefault(part, {})[name] = number
    for option, (part, name) in _TEXTS.items():
        if text := given.text(option):
            resources.setdefault(part, {})[name] = text
    limits = bundles.limits_of(shape.checked(resources, shape.RESOURCES, ""))
    if not limits:
        return
    if not saved.cgroup:
        raise PodError(f"limits of container '{saved.id}' cannot be changed: it has no cgroup")
    refused = cgroups.set_values(saved.cgroup, limits)
    for name, why in refused.items():
        raise PodError(f"limit '{name}' cannot be applied: {why}")
