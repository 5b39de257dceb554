"""What few configurations ask for: execution domain, scheduler, input/output priority, offsets of the clocks.

See the OCI runtime specification, "ioPriority", "scheduler", "personality" and "timeOffsets"; ioprio_set(2),
sched_setattr(2), personality(2), time_namespaces(7).
"""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.linux import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PERSONALITIES = {"LINUX": 0x0000, "LINUX32": 0x0008}
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
SCHEDULER_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}


def set_time_offsets(offsets: dict[str, dict[str, int]]) -> None:
    """`linux.timeOffsets`, after the time namespace was made and before its first process."""
    for clock, offset in offsets.items():
        line = f"{clock} {offset.get('secs') or 0} {offset.get('nanosecs') or 0}\n"
        try:
            with open("/proc/self/timens_offsets", "w", encoding="ascii") as file:
                file.write(line)
        except OSError as error:
            raise PodError(
                f"the offset of the clock '{clock}' cannot be set: {error.strerror}"
            ) from error


def apply(process: dict[str, Any], linux: dict[str, Any]) -> None:
    """Execution domain, priority and scheduler of this process, while it still may change them."""
    if domain := (linux.get("personality") or {}).get("domain"):
        syscalls.personality(PERSONALITIES[domain])
    if priority := process.get("ioPriority"):
        try:
            syscalls.ioprio_set(IO_CLASSES[priority["class"]] << 13 | priority.get("priority", 0))
        except OSError as error:
            raise PodError(
                f"input/output priority '{priority['class']}' cannot be set: {error.strerror}"
            ) from error
    if scheduler := process.get("scheduler"):
        _set_scheduler(scheduler)


def _set_scheduler(wanted: dict[str, Any]) -> None:
    nice = wanted.get("nice")
    try:
        syscalls.sched_setattr(
            POLICIES[wanted["policy"]],
            flags=sum(SCHEDULER_FLAGS[name] for name in wanted.get("flags") or ()),
            nice=os.getpriority(os.PRIO_PROCESS, 0) if nice is None else nice,
            priority=wanted.get("priority") or 0,
            runtime=wanted.get("runtime") or 0,
            deadline=wanted.get("deadline") or 0,
            period=wanted.get("period") or 0,
        )
    except OSError as error:
        raise PodError(
            f"scheduler '{wanted['policy']}' cannot be set: {os.strerror(error.errno or 0)}"
        ) from error
