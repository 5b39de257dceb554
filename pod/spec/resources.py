"""How much a container may use: --memory, --cpus and their kin, --ulimit, --sysctl, --oom-score-adj, --shm-size.

`cgroup_values.py` turns `Resources` into files of cgroup v2 and into OCI JSON. Source: podman-run(1), those options;
getrlimit(2); namespaces(7) for which kernel parameter belongs to which namespace.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, PodError, UsageError
from pod.base.records import Record
from pod.base.units import format_number_set, parse_integer, parse_number_set, parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, ClassVar

    from pod.spec.oci import Rlimit

UNLIMITED = -1
USUAL_PERIOD = 100_000  # microseconds
_MOST = (1 << 63) - 1
_LOWEST_QUOTA = 1000  # microseconds; the kernel refuses less
HOST = "host"
ULIMIT_NAMES = (
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"
).split()
_OCI_INFINITY = (1 << 64) - 1  # RLIM_INFINITY as the specification's unsigned number
_IPC_SYSCTLS = frozenset(
    "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni "
    "kernel.shm_rmid_forced".split()
)


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


class ResourceConflict(UsageError):
    """Two limits that cannot hold together."""


class LimitsNotApplied(PodError):
    """With --require-limits: the container is not started."""

    def __init__(self, name: str, limits: str, why: str) -> None:
        super().__init__(
            f"limits of container '{name}' cannot be applied ({limits}): {why}",
            hint="leave --require-limits out to start it without them",
        )


def parse_resources(
    *,
    memory: str = "",
    memory_swap: str = "",
    memory_reservation: str = "",
    cpus: str = "",
    cpu_shares: str = "",
    cpu_quota: str = "",
    cpu_period: str = "",
    cpuset_cpus: str = "",
    cpuset_mems: str = "",
    pids_limit: str = "",
    blkio_weight: str = "",
    blkio_weight_devices: Iterable[str] = (),
    read_bps: Iterable[str] = (),
    write_bps: Iterable[str] = (),
    read_iops: Iterable[str] = (),
    write_iops: Iterable[str] = (),
    cgroup_conf: Iterable[str] = (),
) -> Resources:
    """The options of the same names, as typed; "" for one that was not given.

    Raises InvalidValue, and ResourceConflict where two of them contradict each other.
    """
    memory_bytes = parse_size(memory, "--memory") if memory else 0
    reservation = (
        parse_size(memory_reservation, "--memory-reservation") if memory_reservation else 0
    )
    if memory_bytes and reservation > memory_bytes:
        raise ResourceConflict(
            "--memory-reservation is above --memory, so that it would never hold"
        )
    period = parse_integer(cpu_period, "--cpu-period", 0, 1_000_000) if cpu_period else 0
    if 0 < period < 1000:
        raise InvalidValue(
            "--cpu-period", cpu_period, "0, or microseconds between 1000 and 1000000"
        )
    quota = _parse_quota(cpu_quota)
    if cpus and (period or quota):
        raise ResourceConflict(
            "--cpus excludes --cpu-period and --cpu-quota, for which it is a short form"
        )
    if cpus:
        quota = _parse_cpus(cpus)
        period = USUAL_PERIOD if quota else 0
    return Resources(
        memory=memory_bytes,
        memory_swap=_parse_swap(memory_swap, memory_bytes),
        memory_reservation=reservation,
        cpu_shares=_parse_zero_or("--cpu-shares", cpu_shares, 2, 262144),
        cpu_quota=quota,
        cpu_period=period,
        cpuset_cpus=_parse_set("--cpuset-cpus", cpuset_cpus),
        cpuset_mems=_parse_set("--cpuset-mems", cpuset_mems),
        pids_limit=(parse_integer(pids_limit, "--pids-limit", UNLIMITED, 1 << 22) or UNLIMITED)
        if pids_limit
        else 0,
        blkio_weight=_parse_zero_or("--blkio-weight", blkio_weight, 10, 1000),
        blkio_weight_devices=_parse_devices("--blkio-weight-device", blkio_weight_devices),
        read_bps=_parse_devices("--device-read-bps", read_bps),
        write_bps=_parse_devices("--device-write-bps", write_bps),
        read_iops=_parse_devices("--device-read-iops", read_iops),
        write_iops=_parse_devices("--device-write-iops", write_iops),
        unified=tuple(_parse_cgroup_conf(text) for text in cgroup_conf),
    )


# What an option of `update` leaves as it is, and which fields each one changes.
_CHANGES = {
    "memory": ("memory", "memory_swap"),
    "memory_swap": ("memory_swap",),
    "cpus": ("cpu_quota", "cpu_period"),
}


def changed_resources(old: Resources, given: Mapping[str, Any]) -> Resources:
    """`old` with what was typed for `update`: `given` are arguments of parse_resources.

    Swap that follows from --memory follows it again. Raises as parse_resources does, also for what does not go together
    with a limit that stays.
    """
    texts = dict(given)
    if old.memory > 0:
        texts.setdefault("memory", str(old.memory))
    if old.memory_reservation > 0:
        texts.setdefault("memory_reservation", str(old.memory_reservation))
    if old.memory_swap not in {0, min(2 * old.memory, _MOST)}:
        texts.setdefault("memory_swap", str(old.memory_swap))
    parsed = parse_resources(**texts)
    fields = {field for name in given for field in _CHANGES.get(name, (_field(name),))}
    return old.replace(**{field: getattr(parsed, field) for field in fields})


def _field(argument: str) -> str:
    return "unified" if argument == "cgroup_conf" else argument


def _parse_swap(text: str, memory: int) -> int:
    """The limit of memory and swap together: by default twice the memory, as podman and docker have it."""
    option = "--memory-swap"
    if not text or text == "0":
        return min(2 * memory, _MOST)
    if text == "-1":
        return UNLIMITED
    swap = parse_size(text, option)
    if not memory:
        raise ResourceConflict(f"{option} needs --memory, which it includes")
    if swap < memory:
        raise ResourceConflict(
            f"{option} is below --memory, which it includes: it is memory and swap together"
        )
    return swap


def _parse_quota(text: str) -> int:
    if not text:
        return 0
    quota = parse_integer(text, "--cpu-quota", UNLIMITED, _MOST)
    if 0 < quota < _LOWEST_QUOTA:
        raise InvalidValue(
            "--cpu-quota", text, f"-1 for no limit, or at least {_LOWEST_QUOTA} microseconds"
        )
    return quota


def _parse_cpus(text: str) -> int:
    """'1.5' processors as a quota of the usual period."""
    grammar = "a number of processors such as 1.5, at least 0.01; 0 for no limit"
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit()) or len(text) > 18:
        raise InvalidValue("--cpus", text, grammar)
    quota = int(whole or "0") * USUAL_PERIOD + int(f"{fraction:0<5}"[:5])
    if quota < _LOWEST_QUOTA and int(digits):
        raise InvalidValue("--cpus", text, grammar)
    return quota


def _parse_zero_or(option: str, text: str, lowest: int, highest: int) -> int:
    if not text or text == "0":
        return 0
    return parse_integer(text, option, lowest, highest)


def _parse_set(option: str, text: str) -> str:
    return format_number_set(parse_number_set(text, option)) if text else ""


def _parse_devices(option: str, texts: Iterable[str]) -> tuple[DeviceLimit, ...]:
    limits = []
    for text in texts:
        device, _, value = text.rpartition(":")
        if not device.startswith("/dev/"):
            raise InvalidValue(option, text, "/dev/NAME:VALUE")
        if option.endswith("-bps"):
            number = parse_size(value, option)
        elif option.endswith("-iops"):
            number = parse_integer(value, option, 0, _MOST)
        else:
            number = parse_integer(value, option, 10, 1000)
        limits.append(DeviceLimit(device, number))
    return tuple(limits)


def _parse_cgroup_conf(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    controller, dot, rest = name.partition(".")
    is_file = controller.isalpha() and dot and rest and "/" not in name and controller != "cgroup"
    if not (is_file and equals and value) or "\0" in text:
        raise InvalidValue("--cgroup-conf", text, "FILE=VALUE, such as memory.high=1073741824")
    return name, value


class Ulimit(Record):
    """One resource limit; UNLIMITED for none. The name 'host' stands for all limits of the caller."""

    name: str
    soft: int = UNLIMITED
    hard: int = UNLIMITED

    def __str__(self) -> str:
        return HOST if self.name == HOST else f"{self.name}={self.soft}:{self.hard}"


class SysctlNotAllowed(UsageError):
    """A kernel parameter that does not belong to a namespace of the container."""


def parse_ulimit(text: str) -> Ulimit:
    """`--ulimit NAME=SOFT[:HARD]`, -1 for no limit; or 'host'."""
    option = "--ulimit"
    if text == HOST:
        return Ulimit(HOST)
    name, _, values = text.partition("=")
    name = name.removeprefix("RLIMIT_").lower()
    soft_text, colon, hard_text = values.partition(":")
    if name not in ULIMIT_NAMES:
        raise InvalidValue(
            option, text, f"NAME=SOFT[:HARD] with one of {', '.join(ULIMIT_NAMES)}, or host"
        )
    soft = parse_integer(soft_text, f"{option} {name}", UNLIMITED, _MOST)
    hard = parse_integer(hard_text, f"{option} {name}", UNLIMITED, _MOST) if colon else soft
    if _exceeds(soft, hard):
        raise InvalidValue(option, text, "the soft limit is above the hard limit")
    return Ulimit(name, soft, hard)


def parse_ulimits(texts: Iterable[str]) -> tuple[Ulimit, ...]:
    """All `--ulimit` values; of several with one name the last."""
    return tuple({(ulimit := parse_ulimit(text)).name: ulimit for text in texts}.values())


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
        hard = highest if _exceeds(ulimit.hard, highest) else ulimit.hard
        soft = hard if _exceeds(ulimit.soft, hard) else ulimit.soft
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


def parse_sysctl(text: str) -> tuple[str, str]:
    """`--sysctl NAME=VALUE`, the name with dots, or with slashes as its path below /proc/sys has them."""
    name, equals, value = text.partition("=")
    first = min((position for mark in "./" if (position := name.find(mark)) >= 0), default=-1)
    if (
        first >= 0 and name[first] == "/"
    ):  # sysctl(8): then a dot stands for itself, and is a slash in the other
        name = name.translate({ord("/"): ".", ord("."): "/"})
    words = name.split(".")
    if not equals or "\0" in text or any(word in {"", "..", "."} for word in words) or "//" in name:
        raise InvalidValue("--sysctl", text, "NAME=VALUE, such as net.ipv4.ip_forward=1")
    return name.strip(), value.strip()


def check_sysctls(sysctls: Mapping[str, str], *, has_own_network: bool, has_own_ipc: bool) -> None:
    """Raise SysctlNotAllowed unless every parameter belongs to a namespace that the container has for itself."""
    for name in sysctls:
        if name.startswith("net."):
            if not has_own_network:
                raise SysctlNotAllowed(
                    f"sysctl '{name}' would change the network of the host, which the container shares"
                )
        elif name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
            if not has_own_ipc:
                raise SysctlNotAllowed(
                    f"sysctl '{name}' would change the IPC namespace of the host, which the container shares"
                )
        else:
            raise SysctlNotAllowed(
                f"sysctl '{name}' belongs to the whole machine",
                hint="a container has net.*, fs.mqueue.*, kernel.sem, kernel.msg* and kernel.shm* of its own",
            )


def parse_cgroups(text: str) -> str:
    """`--cgroups`: "enabled", "split" or "disabled". No monitor gets a cgroup, so no-conmon is what is always done."""
    if text not in {"enabled", "no-conmon", "split", "disabled"}:
        raise InvalidValue("--cgroups", text, "enabled, no-conmon, split or disabled")
    return "enabled" if text == "no-conmon" else text


def parse_oom_score_adj(text: str) -> int:
    """`--oom-score-adj`, from -1000 (never) to 1000 (first)."""
    return parse_integer(text, "--oom-score-adj", -1000, 1000)


def parse_shm_size(text: str, option: str = "--shm-size") -> int:
    """`--shm-size` and the like: bytes; 0 is no limit."""
    return parse_size(text, option)


def _exceeds(one: int, other: int) -> bool:
    return other != UNLIMITED and (one == UNLIMITED or one > other)
