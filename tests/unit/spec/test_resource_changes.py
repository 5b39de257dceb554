"""What `update` makes of limits that are there and limits that were typed."""

from __future__ import annotations

from typing import Any

import pytest

from pod.base.errors import PodError
from pod.spec.cgroup_values import cgroup_files, values_of_none
from pod.spec.resource_options import changed_resources
from pod.spec.resources import DeviceLimit, Resources

MIB = 1 << 20


@pytest.mark.parametrize(
    ("old", "given", "new"),
    [
        pytest.param(
            Resources(memory=64 * MIB, memory_swap=128 * MIB, pids_limit=9),
            {"memory": "32m"},
            Resources(memory=32 * MIB, memory_swap=64 * MIB, pids_limit=9),
            id="the usual swap follows",
        ),
        pytest.param(
            Resources(memory=64 * MIB, memory_swap=100 * MIB),
            {"memory": "80m"},
            Resources(memory=80 * MIB, memory_swap=100 * MIB),
            id="a chosen swap stays",
        ),
        pytest.param(
            Resources(memory=64 * MIB, memory_swap=-1),
            {"memory": "80m"},
            Resources(memory=80 * MIB, memory_swap=-1),
            id="no limit of swap stays",
        ),
        pytest.param(
            Resources(memory=64 * MIB, memory_swap=128 * MIB),
            {"memory_swap": "64m"},
            Resources(memory=64 * MIB, memory_swap=64 * MIB),
            id="swap alone",
        ),
        pytest.param(
            Resources(memory=64 * MIB, memory_swap=128 * MIB),
            {"memory": "0"},
            Resources(),
            id="none any more",
        ),
        pytest.param(
            Resources(cpu_quota=5000, cpu_period=50000, cpu_shares=2),
            {"cpus": "2"},
            Resources(cpu_quota=200000, cpu_period=100000, cpu_shares=2),
            id="cpus",
        ),
        pytest.param(
            Resources(cpu_quota=50000, cpu_period=100000),
            {"cpu_quota": "20000"},
            Resources(cpu_quota=20000, cpu_period=100000),
            id="quota alone",
        ),
        pytest.param(
            Resources(read_bps=(DeviceLimit("/dev/a", 1),)),
            {"read_bps": ["/dev/b:2"]},
            Resources(read_bps=(DeviceLimit("/dev/b", 2),)),
            id="devices",
        ),
    ],
)
def test_only_what_was_named_changes(old: Resources, given: dict[str, Any], new: Resources) -> None:
    assert changed_resources(old, given) == new


@pytest.mark.parametrize(
    ("old", "given"),
    [
        pytest.param(
            Resources(memory=64 * MIB, memory_swap=70 * MIB), {"memory": "80m"}, id="swap below"
        ),
        pytest.param(
            Resources(memory=64 * MIB, memory_reservation=60 * MIB),
            {"memory": "50m"},
            id="reservation",
        ),
        pytest.param(Resources(), {"memory_swap": "1g"}, id="swap without memory"),
    ],
)
def test_what_contradicts_a_limit_that_stays_is_refused(
    old: Resources, given: dict[str, Any]
) -> None:
    with pytest.raises(PodError):
        changed_resources(old, given)


def test_values_that_take_limits_away() -> None:
    limits = Resources(
        memory=MIB,
        cpu_quota=1000,
        cpuset_cpus="0",
        blkio_weight=10,
        blkio_weight_devices=(DeviceLimit("8:0", 20),),
        read_bps=(DeviceLimit("8:0", 1),),
        write_iops=(DeviceLimit("8:0", 1), DeviceLimit("8:16", 1)),
    )
    assert values_of_none(cgroup_files(limits)) == {
        "memory.max": "max",
        "cpu.max": "max 100000",
        "cpuset.cpus": " ",
        "io.weight": "default 100\n8:0 default",
        "io.max": "8:0 rbps=max wiops=max\n8:16 wiops=max",
    }
