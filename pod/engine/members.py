"""Which processes belong to a container, by their numbers on the host, found in /proc and in its cgroup."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.linux import namespaces
from pod.spec.bundle import is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.state.containers import Container
    from pod.state.reconcile import Run


def members(container: Container, run: Run) -> list[int]:
    """The processes of the container: of its PID namespace, or where that is shared, of its cgroup or its first one."""
    own = is_own(container.config.pid)
    numbers = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    if not own and run.state.get("cgroup"):
        from pod.linux import cgroups

        numbers = cgroups.processes(run.state["cgroup"])
        known = set(numbers)
    else:
        known = {run.pid}
    namespace = _namespace(namespaces.holder(run.pid))
    if namespace is None:
        raise PodError(f"the processes of container '{container.name}' cannot be read")
    found = []
    for number in numbers:
        parent = _parent(number)
        if parent is None:
            continue
        # A child is in the namespace of its parent or in one below it.
        if number in known or parent in known or (own and _namespace(number) == namespace):
            known.add(number)
            found.append(number)
    return found


def has_stopped(pid: int) -> bool:
    """Whether SIGSTOP has arrived in every thread that matters, or the process has ended."""
    return _stat(pid)[0] in {"T", "t", "Z", "X", ""}


def _parent(pid: int) -> int | None:
    """None when the process has ended."""
    fields = _stat(pid)
    return int(fields[1]) if fields[0] else None


def _stat(pid: int) -> list[str]:
    """State and parent, field 3 and 4 of proc_pid_stat(5); [""] when it has ended."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return [""]
    try:
        text = os.read(fd, 4096)
    except OSError:
        return [""]
    finally:
        os.close(fd)
    return text[text.rindex(b")") + 2 :].decode().split()[:2]


def _namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None
