"""The grammars of the options that limit resources, and what does not go together; kernel_options.py has --ulimit and
--sysctl.

Source: podman-run(1), those options.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, UsageError
from pod.base.units import format_number_set, parse_integer, parse_number_set, parse_size
from pod.spec.resources import HIGHEST, UNLIMITED, USUAL_PERIOD, DeviceLimit, Resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_LOWEST_QUOTA = 1000  # microseconds; the kernel refuses less


class ResourceConflict(UsageError):
    """Two limits that cannot hold together."""


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
    if old.memory_swap not in {0, min(2 * old.memory, HIGHEST)}:
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
        return min(2 * memory, HIGHEST)
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
    quota = parse_integer(text, "--cpu-quota", UNLIMITED, HIGHEST)
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
            number = parse_integer(value, option, 0, HIGHEST)
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
