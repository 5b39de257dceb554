from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue, UsageError
from pod.spec.cgroup_values import cgroup_files, cpu_weight, io_weight, oci_resources, resources_of
from pod.spec.kernel_options import (
    SysctlNotAllowed,
    check_sysctls,
    parse_sysctl,
    parse_ulimit,
    parse_ulimits,
)
from pod.spec.resource_options import (
    ResourceConflict,
    parse_oom_score_adj,
    parse_resources,
    parse_shm_size,
)
from pod.spec.resources import DeviceLimit, Resources, Ulimit, effective_ulimits, oci_rlimits

MIB = 1 << 20


@pytest.mark.parametrize(
    ("given_options", "resources", "files"),
    [
        ({}, Resources(), {}),
        (
            {"memory": "512m"},
            Resources(memory=512 * MIB, memory_swap=1024 * MIB),
            {"memory.max": str(512 * MIB), "memory.swap.max": str(512 * MIB)},
        ),
        (
            {"memory": "512m", "memory_swap": "512m"},
            Resources(memory=512 * MIB, memory_swap=512 * MIB),
            {"memory.max": str(512 * MIB), "memory.swap.max": "0"},
        ),
        (
            {"memory": "512m", "memory_swap": "-1"},
            Resources(memory=512 * MIB, memory_swap=-1),
            {"memory.max": str(512 * MIB), "memory.swap.max": "max"},
        ),
        ({"memory_swap": "-1"}, Resources(memory_swap=-1), {"memory.swap.max": "max"}),
        ({"memory": "0"}, Resources(), {}),
        (
            {"memory": "2m", "memory_reservation": "1m"},
            Resources(memory=2 * MIB, memory_swap=4 * MIB, memory_reservation=MIB),
            {"memory.max": str(2 * MIB), "memory.swap.max": str(2 * MIB), "memory.low": str(MIB)},
        ),
        (
            {"cpus": "1.5"},
            Resources(cpu_quota=150000, cpu_period=100000),
            {"cpu.max": "150000 100000"},
        ),
        (
            {"cpus": ".5"},
            Resources(cpu_quota=50000, cpu_period=100000),
            {"cpu.max": "50000 100000"},
        ),
        (
            {"cpus": "2"},
            Resources(cpu_quota=200000, cpu_period=100000),
            {"cpu.max": "200000 100000"},
        ),
        ({"cpus": "0"}, Resources(), {}),
        ({"cpus": "0.0"}, Resources(), {}),
        (
            {"cpu_quota": "50000", "cpu_period": "25000"},
            Resources(cpu_quota=50000, cpu_period=25000),
            {"cpu.max": "50000 25000"},
        ),
        ({"cpu_quota": "50000"}, Resources(cpu_quota=50000), {"cpu.max": "50000 100000"}),
        ({"cpu_quota": "-1"}, Resources(cpu_quota=-1), {"cpu.max": "max 100000"}),
        ({"cpu_period": "25000"}, Resources(cpu_period=25000), {"cpu.max": "max 25000"}),
        ({"cpu_shares": "1024"}, Resources(cpu_shares=1024), {"cpu.weight": "39"}),
        ({"cpu_shares": "0"}, Resources(), {}),
        (
            {"cpuset_cpus": "3,0-1,2", "cpuset_mems": "0"},
            Resources(cpuset_cpus="0-3", cpuset_mems="0"),
            {"cpuset.cpus": "0-3", "cpuset.mems": "0"},
        ),
        ({"pids_limit": "100"}, Resources(pids_limit=100), {"pids.max": "100"}),
        ({"pids_limit": "-1"}, Resources(pids_limit=-1), {"pids.max": "max"}),
        ({"pids_limit": "0"}, Resources(pids_limit=-1), {"pids.max": "max"}),
        ({"blkio_weight": "10"}, Resources(blkio_weight=10), {"io.weight": "default 1"}),
        (
            {"blkio_weight": "1000", "blkio_weight_devices": ["/dev/sda:10"]},
            Resources(blkio_weight=1000, blkio_weight_devices=(DeviceLimit("/dev/sda", 10),)),
            {"io.weight": "default 10000\n8:0 1"},
        ),
        (
            {
                "read_bps": ["/dev/sda:1mb"],
                "write_bps": ["/dev/sdb:1k"],
                "read_iops": ["/dev/sda:1000"],
            },
            Resources(
                read_bps=(DeviceLimit("/dev/sda", MIB),),
                write_bps=(DeviceLimit("/dev/sdb", 1024),),
                read_iops=(DeviceLimit("/dev/sda", 1000),),
            ),
            {"io.max": "8:0 rbps=1048576 riops=1000\n8:16 wbps=1024"},
        ),
        (
            {"pids_limit": "5", "cgroup_conf": ["memory.high=1073741824", "pids.max=7"]},
            Resources(pids_limit=5, unified=(("memory.high", "1073741824"), ("pids.max", "7"))),
            {"pids.max": "7", "memory.high": "1073741824"},
        ),
    ],
)
def test_resources_become_files(
    given_options: dict[str, Any], resources: Resources, files: dict[str, str]
) -> None:
    devices = {"/dev/sda": "8:0", "/dev/sdb": "8:16"}
    assert parse_resources(**given_options) == resources
    assert cgroup_files(resources, devices) == files
    assert cgroup_files(resources_of(oci_resources(resources, devices))) == files
    assert Resources.from_json(resources.to_json()) == resources


@pytest.mark.parametrize(
    "given_options",
    [
        {"memory": "lots"},
        {"memory": "-1"},
        {"memory": "1m", "memory_swap": "-2"},
        {"memory_reservation": "x"},
        {"cpus": "-1"},
        {"cpus": "0.001"},
        {"cpus": "one"},
        {"cpus": "."},
        {"cpus": "1e3"},
        {"cpu_shares": "1"},
        {"cpu_shares": "262145"},
        {"cpu_period": "999"},
        {"cpu_period": "1000001"},
        {"cpu_quota": "999"},
        {"cpu_quota": "-2"},
        {"cpuset_cpus": "3-1"},
        {"cpuset_mems": "a"},
        {"pids_limit": "-2"},
        {"pids_limit": "many"},
        {"blkio_weight": "9"},
        {"blkio_weight_devices": ["/dev/sda"]},
        {"blkio_weight_devices": ["/dev/sda:5"]},
        {"read_bps": ["sda:1mb"]},
        {"read_bps": ["/dev/sda:-1"]},
        {"write_iops": ["/dev/sda:1mb"]},
        {"cgroup_conf": ["memory.high"]},
        {"cgroup_conf": ["../memory.high=1"]},
        {"cgroup_conf": ["cgroup.procs=1"]},
        {"cgroup_conf": ["memory.=1"]},
    ],
)
def test_resource_is_refused(given_options: dict[str, Any]) -> None:
    (name,) = list(given_options)[-1:]
    option = {"read_bps": "device-read-bps", "write_iops": "device-write-iops"}.get(
        name, name.removesuffix("s")
    )
    with pytest.raises(InvalidValue, match=option.replace("_", "-")):
        parse_resources(**given_options)


@pytest.mark.parametrize(
    ("given_options", "part"),
    [
        ({"memory_swap": "1g"}, "needs --memory"),
        ({"memory": "1g", "memory_swap": "512m"}, "below --memory"),
        ({"memory": "1g", "memory_reservation": "2g"}, "above --memory"),
        ({"cpus": "1", "cpu_quota": "50000"}, "--cpus excludes"),
        ({"cpus": "1", "cpu_period": "50000"}, "--cpus excludes"),
    ],
)
def test_contradicting_resources_are_refused(given_options: dict[str, Any], part: str) -> None:
    with pytest.raises(ResourceConflict, match=part):
        parse_resources(**given_options)


def test_a_device_without_numbers_is_an_error() -> None:
    with pytest.raises(KeyError):
        cgroup_files(parse_resources(read_bps=["/dev/sda:1mb"]))


def test_weights_follow_the_lines_of_crun() -> None:
    assert [cpu_weight(shares) for shares in (2, 1024, 262144, 1, 10**6)] == [
        1,
        39,
        10000,
        1,
        10000,
    ]
    assert [io_weight(weight) for weight in (10, 500, 1000)] == [1, 4950, 10000]


def test_oci_resources_have_only_what_was_asked_for() -> None:
    assert oci_resources(Resources()) == {}
    assert oci_resources(Resources(memory=5, pids_limit=-1, blkio_weight=10)) == {
        "memory": {"limit": 5},
        "pids": {"limit": -1},
        "blockIO": {"weight": 10},
    }


def test_resources_of_others_are_read() -> None:
    document = {
        "memory": {"limit": -1, "swappiness": 5},
        "cpu": None,
        "pids": {"limit": 0},
        "devices": [],
    }
    assert cgroup_files(resources_of(document)) == {"memory.max": "max"}


@pytest.mark.parametrize(
    ("text", "ulimit"),
    [
        ("nofile=1024:2048", Ulimit("nofile", 1024, 2048)),
        ("nofile=1024", Ulimit("nofile", 1024, 1024)),
        ("core=0", Ulimit("core", 0, 0)),
        ("memlock=-1:-1", Ulimit("memlock")),
        ("memlock=-1", Ulimit("memlock")),
        ("stack=5:-1", Ulimit("stack", 5)),
        ("RLIMIT_NOFILE=5", Ulimit("nofile", 5, 5)),
        ("host", Ulimit("host")),
    ],
)
def test_ulimit_is_read(text: str, ulimit: Ulimit) -> None:
    assert parse_ulimit(text) == ulimit
    assert parse_ulimit(str(ulimit)) == ulimit


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nofile",
        "nofile=",
        "files=5",
        "nofile=5:4",
        "nofile=-1:5",
        "nofile=-2",
        "nofile=1:2:3",
        "host=5",
    ],
)
def test_ulimit_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--ulimit"):
        parse_ulimit(text)


CALLER = {"nofile": (1024, 4096), "nproc": (100, 200), "core": (-1, -1)}


def test_default_ulimits_are_cut_silently() -> None:
    defaults = parse_ulimits(["nofile=1048576", "nproc=50:100"])
    limits, notes = effective_ulimits((), defaults, CALLER)
    assert limits == (Ulimit("nofile", 4096, 4096), Ulimit("nproc", 50, 100))
    assert notes == ()


def test_asked_ulimits_are_cut_with_a_note() -> None:
    asked = parse_ulimits(["nofile=2000:8192", "nproc=-1", "core=-1", "stack=7"])
    limits, notes = effective_ulimits(asked, parse_ulimits(["nofile=1:1"]), CALLER)
    assert limits == (
        Ulimit("nofile", 2000, 4096),
        Ulimit("nproc", 200, 200),
        Ulimit("core"),
        Ulimit("stack", 7, 7),
    )
    assert notes == ("--ulimit nofile=2000:8192 is above your own hard limit: nofile is 4096",)


def test_host_takes_the_limits_of_the_caller() -> None:
    asked = parse_ulimits(["host", "nproc=5"])
    limits, notes = effective_ulimits(asked, parse_ulimits(["stack=1"]), CALLER)
    assert limits == (Ulimit("nofile", 1024, 4096), Ulimit("nproc", 5, 5), Ulimit("core"))
    assert notes == ()


def test_the_last_ulimit_of_a_name_holds() -> None:
    assert parse_ulimits(["nofile=1", "nofile=2"]) == (Ulimit("nofile", 2, 2),)


def test_rlimits_are_unsigned_in_oci() -> None:
    assert oci_rlimits([Ulimit("nofile", 5)]) == [
        {"type": "RLIMIT_NOFILE", "soft": 5, "hard": 2**64 - 1}
    ]


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("net.ipv4.ip_forward=1", ("net.ipv4.ip_forward", "1")),
        ("kernel.sem=250 32000 32 128", ("kernel.sem", "250 32000 32 128")),
        ("net/ipv4/conf/eth0.1/forwarding=1", ("net.ipv4.conf.eth0/1.forwarding", "1")),
        ("net.ipv4.conf.eth0/1.forwarding=1", ("net.ipv4.conf.eth0/1.forwarding", "1")),
        ("fs.mqueue.msg_max=", ("fs.mqueue.msg_max", "")),
    ],
)
def test_sysctl_is_read(text: str, pair: tuple[str, str]) -> None:
    assert parse_sysctl(text) == pair


@pytest.mark.parametrize(
    "text",
    ["", "net.x", "=1", "net..x=1", ".net=1", "net/../kernel/x=1", "net.a/../b=1", "net//x=1"],
)
def test_sysctl_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--sysctl"):
        parse_sysctl(text)


@pytest.mark.parametrize(
    ("name", "network", "ipc"),
    [
        ("net.ipv4.ip_forward", True, False),
        ("kernel.shmmax", False, True),
        ("fs.mqueue.msg_max", False, True),
    ],
)
def test_sysctls_need_a_namespace_of_their_own(name: str, network: bool, ipc: bool) -> None:
    check_sysctls({name: "1"}, has_own_network=network, has_own_ipc=ipc)
    with pytest.raises(SysctlNotAllowed, match=r"which the container shares"):
        check_sysctls({name: "1"}, has_own_network=not network, has_own_ipc=not ipc)


@pytest.mark.parametrize(
    "name", ["kernel.panic", "vm.swappiness", "fs.file-max", "network.x", "kernel.shmmaxx"]
)
def test_sysctls_of_the_machine_are_refused(name: str) -> None:
    with pytest.raises(SysctlNotAllowed, match="whole machine"):
        check_sysctls({name: "1"}, has_own_network=True, has_own_ipc=True)


def test_small_ones() -> None:
    assert parse_oom_score_adj("-1000") == -1000
    assert parse_shm_size("64m") == 64 * MIB
    with pytest.raises(InvalidValue, match="--oom-score-adj"):
        parse_oom_score_adj("1001")
    with pytest.raises(InvalidValue, match="--shm-size"):
        parse_shm_size("-1")


@given(
    name=st.sampled_from(
        ["memory", "memory_swap", "cpus", "cpu_quota", "cpuset_cpus", "pids_limit", "blkio_weight"]
    ),
    text=st.text() | st.text(alphabet="0123456789.-,kmg"),
)
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    try:
        resources = parse_resources(**{name: text})
    except UsageError as error:
        assert error.message
    else:
        assert all(value for value in cgroup_files(resources).values())


@given(st.text() | st.text(alphabet="net.ipv4/=1:-"))
def test_any_limit_is_read_or_refused(text: str) -> None:
    for parse in (parse_ulimit, parse_sysctl):
        try:
            parse(text)
        except UsageError as error:
            assert error.message
