"""How much a container may use. What may be typed is in resource_options.py.

`cgroup_values.py` turns `Resources` into files of cgroup v2 and into OCI JSON. Source: getrlimit(2).
"""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import ClassVar

    from pod.spec.oci import Rlimit

UNLIMITED = -1
USUAL_PERIOD = 100_000  # microseconds
HIGHEST = (1 << 63) - 1
HOST = "host"
ULIMIT_NAMES = (
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"
).split()
_OCI_INFINITY = (1 << 64) - 1  # RLIM_INFINITY as the specification's unsigned number


class DeviceLimit(Record):
    """A weight or a rate of one block device: its path on the host, or 'MAJOR:MINOR'."""

    device: str
    value: int


class Resources(Record):
    """Limits of one container. 0 or "" is a limit that nobody asked for; UNLIMITED one that was asked to be none."""

    memory: int = 0  # bytes
    memory_swap: int = 0  # bytes, memory and swap together
    memory_reservation: int = 0  # bytes
    cpu_shares: int = 0  # 2 to 262144; 1024 is usual
    cpu_quota: int = 0  # microseconds in each period
    cpu_period: int = 0  # microseconds
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids_limit: int = 0
    blkio_weight: int = 0  # 10 to 1000
    blkio_weight_devices: tuple[DeviceLimit, ...] = ()
    read_bps: tuple[DeviceLimit, ...] = ()
    write_bps: tuple[DeviceLimit, ...] = ()
    read_iops: tuple[DeviceLimit, ...] = ()
    write_iops: tuple[DeviceLimit, ...] = ()
    unified: tuple[tuple[str, str], ...] = ()  # --cgroup-conf: (file, value)

    nested: ClassVar = {
        "blkio_weight_devices": DeviceLimit,
        "read_bps": DeviceLimit,
        "write_bps": DeviceLimit,
        "read_iops": DeviceLimit,
        "write_iops": DeviceLimit,
    }


class LimitsNotApplied(PodError):
    """With --require-limits: the container is not started."""

    def __init__(self, name: str, limits: str, why: str) -> None:
        super().__init__(
            f"limits of container '{name}' cannot be applied ({limits}): {why}",
            hint="leave --require-limits out to start it without them",
        )


class Ulimit(Record):
    """One resource limit; UNLIMITED for none. The name 'host' stands for all limits of the caller."""

    name: str
    soft: int = UNLIMITED
    hard: int = UNLIMITED

    def __str__(self) -> str:
        return HOST if self.name == HOST else f"{self.name}={self.soft}:{self.hard}"


def effective_ulimits(
    asked: Iterable[Ulimit], defaults: Iterable[Ulimit], caller: Mapping[str, tuple[int, int]]
) -> tuple[tuple[Ulimit, ...], tuple[str, ...]]:
    """The limits of the container, and a sentence for each that was asked for and could not be had.

    `caller` are the (soft, hard) limits of the calling process by name, above which an ordinary user cannot go: a hard
    limit above its own is cut to it, and UNLIMITED is as much as it has.
    """
    by_name = {ulimit.name: ulimit for ulimit in asked}
    if by_name.pop(HOST, None):
        wanted = {name: Ulimit(name, soft, hard) for name, (soft, hard) in caller.items()}
    else:
        wanted = {ulimit.name: ulimit for ulimit in defaults}
    limits, notes = [], []
    for name, ulimit in {**wanted, **by_name}.items():
        highest = caller.get(name, (UNLIMITED, UNLIMITED))[1]
        hard = highest if exceeds(ulimit.hard, highest) else ulimit.hard
        soft = hard if exceeds(ulimit.soft, hard) else ulimit.soft
        limits.append(Ulimit(name, soft, hard))
        if name in by_name and ulimit.hard not in {UNLIMITED, hard}:
            notes.append(f"--ulimit {ulimit} is above your own hard limit: {name} is {hard}")
    return tuple(limits), tuple(notes)


def oci_rlimits(ulimits: Iterable[Ulimit]) -> list[Rlimit]:
    """`process.rlimits` of the OCI runtime configuration."""
    return [
        {
            "type": f"RLIMIT_{ulimit.name.upper()}",
            "soft": _OCI_INFINITY if ulimit.soft == UNLIMITED else ulimit.soft,
            "hard": _OCI_INFINITY if ulimit.hard == UNLIMITED else ulimit.hard,
        }
        for ulimit in ulimits
    ]


def exceeds(one: int, other: int) -> bool:
    return other != UNLIMITED and (one == UNLIMITED or one > other)
