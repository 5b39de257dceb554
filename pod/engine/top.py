"""`pod top`: the processes of a running container, read from the host's /proc; nothing is started in the container.

Descriptors and headings are those of podman-top(1); see proc(5) for where each number comes from.
"""

from __future__ import annotations

import os
import time

from pod.base.errors import UsageError
from pod.base.records import Record
from pod.base.units import SECOND, format_duration_ns
from pod.engine import lookup
from pod.engine.members import members
from pod.linux import namespaces
from pod.linux.capabilities import NAMES, last_known
from pod.spec import users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.reconcile import Run

    Descriptor = tuple[str, Callable[["View", "Process"], str]]

DEFAULT = ("user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args")
_TICKS = os.sysconf("SC_CLK_TCK")
_SECCOMP = {"0": "disabled", "1": "strict", "2": "filter"}


class Process(Record):
    """One process as /proc tells of it. `pid` is its number in the container, `host_pid` that out here."""

    pid: int
    host_pid: int
    stat: tuple[str, ...]  # fields of /proc/PID/stat from the state (field 3) on
    status: dict[str, str]
    command: tuple[str, ...]
    name: str


class View:
    """What all processes of a container have in common: its users, the maps of its ids, the present time."""

    def __init__(self, container: Container, run: Run) -> None:
        self.container = container
        self.pid = run.pid
        holder = namespaces.holder(run.pid)
        self.passwd = _file_in(holder, "etc/passwd")
        self.group = _file_in(holder, "etc/group")
        self.uid_map = _id_map(run.pid, "uid")
        self.gid_map = _id_map(run.pid, "gid")
        self.uptime = time.clock_gettime(time.CLOCK_BOOTTIME)

    def user(self, host_uid: int) -> str:
        """Name or number of a user of the host in the container; "?" for one that it has not."""
        uid = _inside(self.uid_map, host_uid)
        if uid is None:
            return "?"
        return users.lookup(str(uid), self.passwd, self.group).name or str(uid)

    def group_name(self, host_gid: int) -> str:
        gid = _inside(self.gid_map, host_gid)
        return "?" if gid is None else users.group_name(gid, self.group)


def processes(
    engine: Engine, name: str, descriptors: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Headings, and a line for each process, in the order of their numbers. Raises NotRunning, UsageError."""
    chosen = [_descriptor(word) for word in descriptors or DEFAULT]
    container, run = lookup.running(engine, name, paused=True)
    with lookup.WhileItRuns(container, run):
        view = View(container, run)
        found = sorted(_find(container, run), key=lambda process: process.pid)
    return (
        [heading for heading, _ in chosen],
        [[read(view, process) for _, read in chosen] for process in found],
    )


def parse_descriptors(words: Sequence[str]) -> list[str]:
    """The descriptors among the words behind the container's name; "-o" and "-eo" of ps(1) before them are allowed."""
    found: list[str] = []
    for word in words:
        if word in {"-o", "-eo", "-Ao", "-e", "-A"}:
            continue
        found += [part for part in word.split(",") if part]
    for word in found:
        _descriptor(word)
    return found


def _descriptor(word: str) -> Descriptor:
    name = _ALIASES.get(word, word)
    if name in DESCRIPTORS:
        return DESCRIPTORS[name]
    raise UsageError(
        f"'{word}' is no descriptor of `pod top`; there are {', '.join(DESCRIPTORS)}",
        hint="for the options of ps(1), if the container has it: pod exec CONTAINER ps ...",
    )


def _find(container: Container, run: Run) -> list[Process]:
    found = (_read(number) for number in members(container, run))
    return [process for process in found if process is not None]


def _read(pid: int) -> Process | None:
    """The process; None when it has ended, or is not ours to read."""
    try:
        stat = _text(f"/proc/{pid}/stat")
        status = dict(
            line.split(":\t", 1)
            for line in _text(f"/proc/{pid}/status").splitlines()
            if ":\t" in line
        )
        command = _text(f"/proc/{pid}/cmdline")
    except OSError:
        return None
    name, _, rest = stat.partition("(")[2].rpartition(")")
    inside = status.get("NSpid", str(pid)).split()
    return Process(
        pid=int(inside[1] if len(inside) > 1 else inside[0]),
        host_pid=pid,
        stat=tuple(rest.split()),
        status=status,
        command=tuple(command.rstrip("\0").split("\0")) if command else (),
        name=name,
    )


def _text(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 1 << 16):
            parts.append(part)
    finally:
        os.close(fd)
    return b"".join(parts).decode("utf-8", "surrogateescape")


def _file_in(pid: int, path: str) -> str:
    """A file of the container, from outside; "" when it has none. Links in the container cannot lead out of it."""
    import stat

    from pod.linux import inroot

    try:
        root_fd = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fd = inroot.open_at(root_fd, path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    finally:
        os.close(root_fd)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        return os.read(fd, 1 << 22).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)


def _id_map(pid: int, kind: str) -> list[tuple[int, int, int]]:
    try:
        lines = _text(f"/proc/{pid}/{kind}_map").splitlines()
    except OSError:
        return []
    rows = [[int(word) for word in line.split()] for line in lines]
    return [(inside, outside, count) for inside, outside, count in rows]


def _inside(extents: list[tuple[int, int, int]], number: int) -> int | None:
    for inside, outside, count in extents:
        if outside <= number < outside + count:
            return inside + number - outside
    return None


# The descriptors


def _id(field: str, which: int) -> Callable[[Process], int]:
    """Number of /proc/PID/status: 0 the real id, 1 the effective one."""
    return lambda process: int(process.status[field].split()[which])


_real_uid, _effective_uid = _id("Uid", 0), _id("Uid", 1)
_real_gid, _effective_gid = _id("Gid", 0), _id("Gid", 1)


def _groups(process: Process) -> list[int]:
    return [int(word) for word in process.status.get("Groups", "").split()]


def _host_user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _host_group(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _elapsed_seconds(view: View, process: Process) -> float:
    return max(0.0, view.uptime - int(process.stat[19]) / _TICKS)


def _cpu_seconds(process: Process) -> float:
    return (int(process.stat[11]) + int(process.stat[12])) / _TICKS


def _cpu_percent(view: View, process: Process) -> str:
    elapsed = _elapsed_seconds(view, process)
    return f"{100 * _cpu_seconds(process) / elapsed if elapsed else 0:.3f}"


def _start_time(view: View, process: Process) -> str:
    started = time.time() - _elapsed_seconds(view, process)
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(started))


def _terminal(process: Process) -> str:
    number = int(process.stat[4])
    if not number:
        return "?"
    major, minor = os.major(number), os.minor(number)
    return f"pts/{minor + 256 * (major - 136)}" if 136 <= major <= 143 else f"tty{minor}"


def _capabilities(field: str) -> Callable[[View, Process], str]:
    def read(view: View, process: Process) -> str:
        bits = int(process.status.get(field, "0"), 16)
        names = [name for number, name in enumerate(NAMES) if bits >> number & 1]
        if not names:
            return "none"
        if len(names) > last_known():
            return "full"
        return ",".join(name.removeprefix("CAP_") for name in names)

    return read


def _label(view: View, process: Process) -> str:
    try:
        return _text(f"/proc/{process.host_pid}/attr/current").strip("\0\n") or "?"
    except OSError:
        return "?"


def _cgroup(view: View, process: Process) -> str:
    try:
        lines = _text(f"/proc/{process.host_pid}/cgroup").splitlines()
    except OSError:
        return "?"
    return next((line[3:] for line in lines if line.startswith("0::")), "?")


def _kibibytes(field: str) -> Callable[[View, Process], str]:
    return lambda view, process: process.status.get(field, "0 kB").split()[0]


def _parent(view: View, process: Process) -> str:
    """The parent as the container sees it: 0 when it is outside."""
    parent = int(process.stat[1])
    if process.pid == process.host_pid:
        return str(parent)
    found = _read(parent)
    inside = "" if found is None else found.status.get("NSpid", "")
    return str(found.pid) if found is not None and len(inside.split()) > 1 else "0"


def _process_group(view: View, process: Process) -> str:
    numbers = process.status.get("NSpgid", process.stat[2]).split()
    return numbers[1] if len(numbers) > 1 else numbers[0]


DESCRIPTORS: dict[str, Descriptor] = {
    "args": ("COMMAND", lambda view, it: " ".join(it.command) or f"[{it.name}]"),
    "capamb": ("AMBIENT CAPS", _capabilities("CapAmb")),
    "capbnd": ("BOUNDING CAPS", _capabilities("CapBnd")),
    "capeff": ("EFFECTIVE CAPS", _capabilities("CapEff")),
    "capinh": ("INHERITED CAPS", _capabilities("CapInh")),
    "capprm": ("PERMITTED CAPS", _capabilities("CapPrm")),
    "cgroup": ("CGROUP", _cgroup),
    "comm": ("COMMAND", lambda view, it: it.name),
    "etime": (
        "ELAPSED",
        lambda view, it: format_duration_ns(int(_elapsed_seconds(view, it) * SECOND)),
    ),
    "group": ("GROUP", lambda view, it: view.group_name(_effective_gid(it))),
    "groups": ("GROUPS", lambda view, it: ",".join(map(view.group_name, _groups(it)))),
    "hgroup": ("HGROUP", lambda view, it: _host_group(_effective_gid(it))),
    "hgroups": ("HGROUPS", lambda view, it: ",".join(map(_host_group, _groups(it)))),
    "hpid": ("HPID", lambda view, it: str(it.host_pid)),
    "huser": ("HUSER", lambda view, it: _host_user(_effective_uid(it))),
    "label": ("LABEL", _label),
    "nice": ("NI", lambda view, it: it.stat[16]),
    "pcpu": ("%CPU", _cpu_percent),
    "pgid": ("PGID", _process_group),
    "pid": ("PID", lambda view, it: str(it.pid)),
    "ppid": ("PPID", _parent),
    "rgroup": ("RGROUP", lambda view, it: view.group_name(_real_gid(it))),
    "rss": ("RSS", _kibibytes("VmRSS")),
    "ruser": ("RUSER", lambda view, it: view.user(_real_uid(it))),
    "seccomp": ("SECCOMP", lambda view, it: _SECCOMP.get(it.status.get("Seccomp", ""), "?")),
    "state": ("STATE", lambda view, it: it.stat[0]),
    "stime": ("STIME", _start_time),
    "time": ("TIME", lambda view, it: format_duration_ns(int(_cpu_seconds(it) * SECOND))),
    "tty": ("TTY", lambda view, it: _terminal(it)),
    "user": ("USER", lambda view, it: view.user(_effective_uid(it))),
    "vsz": ("VSZ", _kibibytes("VmSize")),
}
_ALIASES = {
    # AIX codes, ps(1)
    "%C": "pcpu",
    "%G": "group",
    "%P": "ppid",
    "%U": "user",
    "%a": "args",
    "%c": "comm",
    "%g": "rgroup",
    "%n": "nice",
    "%p": "pid",
    "%r": "pgid",
    "%t": "etime",
    "%u": "ruser",
    "%x": "time",
    "%y": "tty",
    "%z": "vsz",
    # other names of ps(1)
    "%cpu": "pcpu",
    "cmd": "args",
    "command": "args",
    "ni": "nice",
    "s": "state",
    "tt": "tty",
    "ucmd": "comm",
    "vsize": "vsz",
}
