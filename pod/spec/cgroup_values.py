"""`Resources` as files of cgroup v2 and as `linux.resources` of the OCI runtime configuration.

The conversions from the options, which are in the words of cgroup v1, are those of crun(1), "CGROUP v2"; the files are
described in the kernel's admin-guide/cgroup-v2.
"""

from __future__ import annotations

from pod.spec.resources import UNLIMITED, USUAL_PERIOD, DeviceLimit, Resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def cgroup_files(resources: Resources, devices: Mapping[str, str] | None = None) -> dict[str, str]:
    """What is to be written to which file of the container's cgroup, in this order.

    `devices` says which 'MAJOR:MINOR' a device's path is (KeyError for one that is missing). Where a value has several
    lines ("io.max", "io.weight"), the kernel takes one line a write.
    """
    files: dict[str, str] = {}
    if resources.memory:
        files["memory.max"] = _or_max(resources.memory)
    if resources.memory_swap == UNLIMITED:
        files["memory.swap.max"] = "max"
    elif resources.memory_swap and resources.memory > 0:
        files["memory.swap.max"] = str(resources.memory_swap - resources.memory)
    if resources.memory_reservation:
        files["memory.low"] = _or_max(resources.memory_reservation)
    if resources.cpu_quota or resources.cpu_period:
        quota = _or_max(resources.cpu_quota or UNLIMITED)
        files["cpu.max"] = f"{quota} {resources.cpu_period or USUAL_PERIOD}"
    if resources.cpu_shares:
        files["cpu.weight"] = str(cpu_weight(resources.cpu_shares))
    if resources.cpuset_cpus:
        files["cpuset.cpus"] = resources.cpuset_cpus
    if resources.cpuset_mems:
        files["cpuset.mems"] = resources.cpuset_mems
    if resources.pids_limit:
        files["pids.max"] = _or_max(resources.pids_limit)
    weights = [f"default {io_weight(resources.blkio_weight)}"] if resources.blkio_weight else []
    for limit in resources.blkio_weight_devices:
        weights.append(f"{_numbers(limit.device, devices)} {io_weight(limit.value)}")
    if weights:
        files["io.weight"] = "\n".join(weights)
    if rates := _io_max(resources, devices):
        files["io.max"] = "\n".join(rates)
    files.update(resources.unified)
    return files


EMPTY = " "  # what empties a file of a cpuset; nothing at all would not be written
_NONE = {
    "memory.max": "max",
    "memory.swap.max": "max",
    "memory.low": "0",
    "cpu.max": f"max {USUAL_PERIOD}",
    "cpu.weight": "100",
    "cpuset.cpus": EMPTY,
    "cpuset.mems": EMPTY,
    "pids.max": "max",
}


def values_of_none(files: Mapping[str, str]) -> dict[str, str]:
    """What takes the limits in `files`, which cgroup_files has made, away again. Those of --cgroup-conf stay."""
    none = {name: _NONE[name] for name in files if name in _NONE}
    for name in ("io.weight", "io.max"):
        if name in files:
            lines = files[name].split("\n")
            none[name] = "\n".join(_without_limit(name, line) for line in lines)
    return none


def _without_limit(name: str, line: str) -> str:
    device, _, rates = line.partition(" ")
    if name == "io.weight":
        return f"{device} {'100' if device == 'default' else 'default'}"
    keys = (rate.partition("=")[0] for rate in rates.split())
    return f"{device} {' '.join(f'{key}=max' for key in keys)}"


def cpu_weight(shares: int) -> int:
    """cpu.shares of cgroup v1 (2 to 262144) as cpu.weight of v2 (1 to 10000), on crun's straight line."""
    shares = min(max(shares, 2), 262144)
    return 1 + (shares - 2) * 9999 // 262142


def io_weight(weight: int) -> int:
    """blkio.weight of cgroup v1 (10 to 1000) as io.weight of v2 (1 to 10000), on crun's straight line."""
    return 1 + (weight - 10) * 9999 // 990


def _io_max(resources: Resources, devices: Mapping[str, str] | None) -> list[str]:
    lines: dict[str, list[str]] = {}
    for key, limits in (
        ("rbps", resources.read_bps),
        ("wbps", resources.write_bps),
        ("riops", resources.read_iops),
        ("wiops", resources.write_iops),
    ):
        for limit in limits:
            value = str(limit.value) if limit.value else "max"
            lines.setdefault(_numbers(limit.device, devices), []).append(f"{key}={value}")
    return [f"{numbers} {' '.join(rates)}" for numbers, rates in lines.items()]


def _numbers(device: str, devices: Mapping[str, str] | None) -> str:
    return (devices or {})[device] if device.startswith("/") else device


def _or_max(value: int) -> str:
    return "max" if value < 0 else str(value)


_BLOCK_IO = {
    "weightDevice": ("blkio_weight_devices", "weight"),
    "throttleReadBpsDevice": ("read_bps", "rate"),
    "throttleWriteBpsDevice": ("write_bps", "rate"),
    "throttleReadIOPSDevice": ("read_iops", "rate"),
    "throttleWriteIOPSDevice": ("write_iops", "rate"),
}


def oci_resources(resources: Resources, devices: Mapping[str, str] | None = None) -> dict[str, Any]:
    """`linux.resources` of the OCI runtime configuration; `devices` as for cgroup_files."""
    block: dict[str, Any] = {}
    if resources.blkio_weight:
        block["weight"] = resources.blkio_weight
    for name, (field, unit) in _BLOCK_IO.items():
        entries = []
        for limit in getattr(resources, field):
            major, _, minor = _numbers(limit.device, devices).partition(":")
            entries.append({"major": int(major), "minor": int(minor), unit: limit.value})
        if entries:
            block[name] = entries
    document: dict[str, dict[str, Any]] = {
        "memory": {
            "limit": resources.memory,
            "swap": resources.memory_swap,
            "reservation": resources.memory_reservation,
        },
        "cpu": {
            "shares": resources.cpu_shares,
            "quota": resources.cpu_quota,
            "period": resources.cpu_period,
            "cpus": resources.cpuset_cpus,
            "mems": resources.cpuset_mems,
        },
        "pids": {"limit": resources.pids_limit},
        "blockIO": block,
        "unified": dict(resources.unified),
    }
    kept = {
        name: {key: value for key, value in part.items() if value}
        for name, part in document.items()
    }
    return {name: part for name, part in kept.items() if part}


def resources_of(document: Mapping[str, Any]) -> Resources:
    """The inverse of oci_resources, for a runtime that is given a bundle. What cgroup v2 has not is left out."""
    memory, cpu = document.get("memory") or {}, document.get("cpu") or {}
    block = document.get("blockIO") or {}
    limits = {
        field: tuple(
            DeviceLimit(f"{entry['major']}:{entry['minor']}", entry[unit])
            for entry in block.get(name) or ()
            if unit in entry
        )
        for name, (field, unit) in _BLOCK_IO.items()
    }
    return Resources(
        memory=memory.get("limit") or 0,
        memory_swap=memory.get("swap") or 0,
        memory_reservation=memory.get("reservation") or 0,
        cpu_shares=cpu.get("shares") or 0,
        cpu_quota=cpu.get("quota") or 0,
        cpu_period=cpu.get("period") or 0,
        cpuset_cpus=cpu.get("cpus") or "",
        cpuset_mems=cpu.get("mems") or "",
        pids_limit=(document.get("pids") or {}).get("limit") or 0,
        blkio_weight=block.get("weight") or 0,
        unified=tuple((document.get("unified") or {}).items()),
        **limits,
    )
