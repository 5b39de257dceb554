"""How much containers use at this moment: `pod stats`.

Numbers come from the files of the container's cgroup where the kernel has them (cgroup v2: cpu.stat, memory.current,
io.stat, pids.current), and otherwise from /proc, summed over the container's processes; memory shared by several
processes then counts for each of them. Network numbers are those of the container's network namespace. See proc(5)
and the kernel's admin-guide/cgroup-v2.
"""

from __future__ import annotations

import os
import time

from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pod.engine.context import Engine
    from pod.state.reconcile import Run

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_WHOLE = 2048  # bytes: less than this from a file of the kernel is all of it


class Sample(Record):
    """What one container uses. Bytes and nanoseconds; all 0 for one that does not run.

    `cpu_share` is processor time by time since the sample before, or where there was none since the start of the
    container: 1.0 is one processor. `average_share` is always the latter.
    """

    id: str
    name: str
    moment_ns: int = 0
    started_ns: int = 0
    cpu_ns: int = 0
    system_ns: int = 0  # of that, in the kernel
    cpu_share: float = 0.0
    average_share: float = 0.0
    memory: int = 0
    memory_limit: int = 0
    received: int = 0
    sent: int = 0
    read: int = 0
    written: int = 0
    tasks: int = 0

    @property
    def memory_share(self) -> float:
        return self.memory / self.memory_limit if self.memory_limit else 0.0


class Subject(Record):
    """A container, as far as it matters here. `pid` is its process 1, 0 for one that does not run."""

    id: str
    name: str
    pid: int = 0
    started_ns: int = 0
    cgroup: str = ""


class Meter:
    """Samples again and again, each compared with the one before."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._before: dict[str, Sample] = {}

    def read(self, ids: Sequence[str] | None = None, *, everything: bool = False) -> list[Sample]:
        """Those that run at this moment, with `everything` all; or those of `ids` that still exist."""
        found = _subjects(self._engine, everything=everything or ids is not None)
        if ids is not None:
            by_id = {it.id: it for it in found}
            found = [by_id[one] for one in ids if one in by_id]
        samples = [self._compared(sample) for sample in _samples(found)]
        self._before = {sample.id: sample for sample in samples}
        return samples

    def _compared(self, sample: Sample) -> Sample:
        before = self._before.get(sample.id)
        if before is None or before.started_ns != sample.started_ns or not sample.started_ns:
            return sample
        elapsed = sample.moment_ns - before.moment_ns
        if elapsed <= 0:
            return sample
        return sample.replace(cpu_share=max(0, sample.cpu_ns - before.cpu_ns) / elapsed)


def _subjects(engine: Engine, *, everything: bool) -> list[Subject]:
    """The running containers, or all."""
    from pod.engine import running

    runs = None if everything else running.by_monitors(engine.paths)
    if runs is not None:
        return [_subject(number, run.state["name"], run) for number, run in runs]
    from pod.engine import list as listing

    return [
        _subject(it.summary.id, it.summary.name, it.run)
        if it.run is not None and it.pid
        else Subject(it.summary.id, it.summary.name)
        for it in listing.containers(engine, everything=everything)
    ]


def _subject(container_id: str, name: str, run: Run) -> Subject:
    state = run.state
    return Subject(
        container_id, name, run.pid, state.get("started_ns", 0), state.get("cgroup") or ""
    )


def _samples(found: Iterable[Subject]) -> list[Sample]:
    members: dict[str, list[int]] | None = None
    samples = []
    machine = _machine_memory()
    missing: set[str] = set()
    host_network = _namespace("self", "net")
    for it in found:
        if not it.pid:
            samples.append(Sample(it.id, it.name))
            continue
        if it.cgroup:
            pids = None
        else:
            members = _by_namespace() if members is None else members
            pids = members.get(_namespace(it.pid), [])
        samples.append(_sample(it, _Group(it.cgroup, missing), pids, machine, host_network))
    return samples


class _Group:
    """The files of a container's cgroup, without one that no group beside it has either: its controller is missing."""

    def __init__(self, path: str, missing: set[str]) -> None:
        self.path = path
        self._beside = path[: path.rfind("/") + 1]
        self._missing = missing
        self._is_there = False

    def text(self, name: str) -> str | None:
        beside = self._beside + name
        if not self.path or beside in self._missing:
            return None
        text = _text(f"{self.path}/{name}")
        if text is not None:
            self._is_there = True
        elif self._is_there:
            self._missing.add(beside)
        return text

    def number(self, name: str) -> int | None:
        """None for "max", and when there is no such file."""
        text = (self.text(name) or "").strip()
        return int(text) if text.isdigit() else None


def _sample(
    it: Subject, group: _Group, pids: list[int] | None, machine: int, host_network: str
) -> Sample:
    moment_ns = time.time_ns()
    # What the kernel has no file for, is summed over the processes; None: not yet looked at.
    summed: _Sum | None = None

    def total() -> _Sum:
        nonlocal summed
        if summed is None:
            summed = _Sum(_members(group) if pids is None else pids)
        return summed

    cpu = _table(group.text("cpu.stat"))
    if cpu:
        cpu_ns, system_ns = int(cpu["usage_usec"]) * 1000, int(cpu["system_usec"]) * 1000
    else:
        cpu_ns, system_ns = total().cpu_ns, total().system_ns
    memory = group.number("memory.current")
    if memory is None:
        memory = total().memory
    else:
        # What the kernel can take back at once is not in use (as docker and podman count).
        reclaimable = int(_table(group.text("memory.stat")).get("inactive_file", 0))
        memory -= min(memory, reclaimable)
    tasks = group.number("pids.current")
    limit = group.number("memory.max")
    blocks = _block_io(group.text("io.stat"))
    read, written = blocks if blocks is not None else total().blocks()
    received, sent = (0, 0) if _namespace(it.pid, "net") == host_network else _network(it.pid)
    since_start = max(1, moment_ns - it.started_ns)
    return Sample(
        id=it.id,
        name=it.name,
        moment_ns=moment_ns,
        started_ns=it.started_ns,
        cpu_ns=cpu_ns,
        system_ns=system_ns,
        cpu_share=cpu_ns / since_start,
        average_share=cpu_ns / since_start,
        memory=memory,
        memory_limit=min(limit or machine, machine),
        received=received,
        sent=sent,
        read=read,
        written=written,
        tasks=total().tasks if tasks is None else tasks,
    )


def _members(group: _Group) -> list[int]:
    """The processes in the group, and in those below it, of which a container that makes none has none."""
    try:
        has_none_below = os.stat(group.path).st_nlink <= 2
    except OSError:
        return []
    if has_none_below:
        return [int(word) for word in (_text(f"{group.path}/cgroup.procs") or "").split()]
    from pod.linux import cgroups  # heavy, and rarely needed

    return cgroups.processes(group.path)


class _Sum:
    """What processes use together, from /proc."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids
        self.cpu_ns = self.system_ns = self.memory = self.tasks = 0
        for pid in pids:
            text = _text(f"/proc/{pid}/stat")
            if not text:
                continue
            fields = text[text.rindex(")") + 2 :].split()
            # Of the process, and of its children that have ended (fields 14 to 17).
            user, system, children_user, children_system = map(int, fields[11:15])
            self.cpu_ns += (user + system + children_user + children_system) * _TICK_NS
            self.system_ns += (system + children_system) * _TICK_NS
            self.tasks += int(fields[17])
            self.memory += int(fields[21]) * _PAGE

    def blocks(self) -> tuple[int, int]:
        """Bytes read from and written to block devices by processes that live."""
        read = written = 0
        for pid in self._pids:
            counts = _table(_text(f"/proc/{pid}/io"))
            read += int(counts.get("read_bytes:", 0))
            written += int(counts.get("write_bytes:", 0))
        return read, written


def _block_io(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    read = written = 0
    for word in text.split():
        name, equals, value = word.partition("=")
        if equals and name == "rbytes":
            read += int(value)
        elif equals and name == "wbytes":
            written += int(value)
    return read, written


def _network(pid: int) -> tuple[int, int]:
    """Bytes received and sent on all interfaces of a process but the loopback one."""
    received = sent = 0
    for line in (_text(f"/proc/{pid}/net/dev") or "").splitlines()[2:]:
        name, _, counts = line.partition(":")
        if name.strip() != "lo":
            numbers = counts.split()
            received += int(numbers[0])
            sent += int(numbers[8])
    return received, sent


def _by_namespace() -> dict[str, list[int]]:
    """All processes that we may look at, by PID namespace."""
    found: dict[str, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found.setdefault(_namespace(name), []).append(int(name))
    own = _namespace("self")
    return {namespace: pids for namespace, pids in found.items() if namespace not in {"", own}}


def _namespace(pid: int | str, kind: str = "pid") -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return ""


def _machine_memory() -> int:
    return _PAGE * os.sysconf("SC_PHYS_PAGES")


def _table(text: str | None) -> dict[str, str]:
    """What stands behind each name, of lines of a name and a number; {} for a file that is not there or not ours."""
    words = (text or "").split()
    return dict(zip(words[::2], words[1::2], strict=False))


def _text(path: str) -> str | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Of several lines the kernel gives those that fit into a page, and as much more as one asks again for.
        data = os.read(fd, 1 << 14)
        if len(data) >= _WHOLE:
            while part := os.read(fd, 1 << 14):
                data += part
    except OSError:
        return None  # it ended meanwhile
    finally:
        os.close(fd)
    return data.decode("utf-8", "replace")
