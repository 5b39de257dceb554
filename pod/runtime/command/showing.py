"""state, list, ps, events: what there is to see. Each returns the text for standard output."""

from __future__ import annotations

import json
import os
import select
import time

from pod.base.errors import PodError, UsageError
from pod.linux import cgroups
from pod.runtime.command.states import NoSuchContainer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.runtime.command.states import Saved, States


def state(store: States, name: str) -> str:
    """The state as JSON: what the specification wants, and where and when the container was made."""
    saved = store.load(name)
    document = {
        **store.document(saved),
        "rootfs": saved.rootfs,
        "created": saved.created,
        "owner": saved.owner,
    }
    return json.dumps(document, indent=2) + "\n"


def listing(store: States, *, quiet: bool, form: str) -> str:
    """All containers: names alone, a table, or JSON."""
    found = []
    for name in store.names():
        try:
            saved = store.load(name)
        except NoSuchContainer:
            continue  # it is just being made, or removed
        found.append((saved, store.status(saved)))
    if quiet:
        return "".join(f"{saved.id}\n" for saved, _ in found)
    if form == "json":
        return json.dumps([_row(store, saved, status) for saved, status in found]) + "\n"
    if form not in {"", "table"}:
        raise UsageError(f"--format '{form}' is not one of table, json")
    rows: list[tuple[str, ...]] = [("NAME", "PID", "STATUS", "BUNDLE PATH", "CREATED", "OWNER")]
    for saved, status in found:
        pid = "0" if status == "stopped" else str(saved.pid)
        rows.append((saved.id, pid, status, saved.bundle, saved.created, saved.owner))
    return _table(rows)


def _row(store: States, saved: Saved, status: str) -> dict[str, Any]:
    return {
        **store.document(saved, status),
        "rootfs": saved.rootfs,
        "created": saved.created,
        "owner": saved.owner,
    }


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        " ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines)


def pids(store: States, name: str, form: str) -> str:
    """The processes of a container, by their numbers out here."""
    saved = store.load(name)
    if store.status(saved) in {"creating", "stopped"}:
        raise PodError(f"container '{name}' is not running")
    numbers = cgroups.processes(saved.cgroup) if saved.cgroup else _descendants(saved.pid)
    if form == "json":
        return json.dumps(sorted(numbers)) + "\n"
    if form not in {"", "table"}:
        raise UsageError(f"--format '{form}' is not one of table, json")
    return "PID\n" + "".join(f"{number}\n" for number in sorted(numbers))


def _descendants(pid: int) -> list[int]:
    """A process and all below it: without a cgroup, the children of process 1 are what belongs to a container."""
    found = [pid]
    for number in found:
        try:
            with open(f"/proc/{number}/task/{number}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
        except OSError:
            continue
    return found


def statistics(store: States, name: str) -> dict[str, Any]:
    """What runc's `events --stats` shows, as far as version 2 of control groups tells."""
    saved = store.load(name)
    if store.status(saved) in {"creating", "stopped"}:
        raise PodError(f"container '{name}' is not running")
    data: dict[str, Any] = {}
    if saved.cgroup:
        cpu = _pairs(f"{saved.cgroup}/cpu.stat")
        data = {
            "cpu": {
                "usage": {
                    "total": cpu.get("usage_usec", 0) * 1000,
                    "kernel": cpu.get("system_usec", 0) * 1000,
                    "user": cpu.get("user_usec", 0) * 1000,
                }
            },
            "memory": {
                "usage": {
                    "usage": _number(f"{saved.cgroup}/memory.current"),
                    "limit": _number(f"{saved.cgroup}/memory.max"),
                },
                "raw": _pairs(f"{saved.cgroup}/memory.stat"),
            },
            "pids": {
                "current": _number(f"{saved.cgroup}/pids.current")
                or len(cgroups.processes(saved.cgroup)),
                "limit": _number(f"{saved.cgroup}/pids.max"),
            },
        }
    return {"type": "stats", "id": name, "data": data}


class MemoryEvents:
    """Tells when the kernel ends processes of a container whose memory is used up, as runc does.

    memory.events tells of a change by POLLPRI (cgroups(7)); without a cgroup, nothing is told.
    """

    def __init__(self, saved: Saved) -> None:
        self._id = saved.id
        self._path = f"{saved.cgroup}/memory.events"
        self._kills = self._count()

    def wait(self, seconds: float) -> list[dict[str, str]]:
        """The events of the next `seconds`, or the first of them."""
        poll = select.poll()
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            time.sleep(seconds)
            return []
        try:
            poll.register(fd, select.POLLPRI)
            seen = self._count()  # after the file was opened: what comes from now on wakes us
            if seen <= self._kills:
                poll.poll(seconds * 1000)
                seen = self._count()
        finally:
            os.close(fd)
        told = seen > self._kills
        self._kills = max(seen, self._kills)
        return [{"type": "oom", "id": self._id}] if told else []

    def _count(self) -> int:
        return _pairs(self._path).get("oom_kill", 0)


def _pairs(path: str) -> dict[str, int]:
    try:
        with open(path, encoding="ascii") as file:
            return {name: int(value) for name, value in map(str.split, file)}
    except (OSError, ValueError):
        return {}


def _number(path: str) -> int:
    """The number in a file of a cgroup; 0 for "max", and where there is none."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0
