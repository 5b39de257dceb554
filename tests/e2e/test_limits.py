"""Resource limits, on a kernel and a session that let an ordinary user set them."""

from __future__ import annotations

import os

import pytest

from tests.support.engine import Engine
from tests.support.waiting import until

MIB = 1 << 20
LAST_CPU = max(os.sched_getaffinity(0))
OPTIONS = (
    "--memory 64m --memory-reservation 32m --pids-limit 50 --cpu-quota 20000 --cpu-period 50000 --cpu-shares 2048 "
    f"--cpuset-cpus {LAST_CPU} --cgroup-conf memory.high=9437184"
).split()
FILES = {
    "memory.max": str(64 * MIB),
    "memory.swap.max": str(64 * MIB),
    "memory.low": str(32 * MIB),
    "memory.high": "9437184",
    "pids.max": "50",
    "cpu.max": "20000 50000",
    "cpu.weight": "79",
    "cpuset.cpus": str(LAST_CPU),
}


def in_cgroup(pod: Engine, name: str, *files: str) -> list[str]:
    return pod("exec", name, "cat", *(f"/sys/fs/cgroup/{file}" for file in files)).lines


def running(pod: Engine, name: str, *options: str) -> None:
    pod("run", "-d", "--name", name, "--network", "none", *options, "busybox", "sleep", "1d")


@pytest.mark.needs_kernel("memory controller")
@pytest.mark.needs_kernel("pids controller")
@pytest.mark.needs_kernel("cpu controller")
@pytest.mark.needs_kernel("cpuset controller")
def test_limits_are_in_force(pod: Engine) -> None:
    script = f"cd /sys/fs/cgroup && cat {' '.join(FILES)}"
    command = ("run", "--rm", "--network", "none", *OPTIONS, "busybox", "sh", "-c", script)
    assert pod(*command).lines == list(FILES.values())
    script = "cd /sys/fs/cgroup && cat memory.swap.max pids.max cpu.max"
    options = "--memory 64m --memory-swap -1 --cpus 0.5".split()
    command = ("run", "--rm", "--network", "none", *options, "busybox", "sh", "-c", script)
    assert pod(*command).lines == ["max", "2048", "50000 100000"]


@pytest.mark.needs_kernel("memory controller")
def test_a_container_that_takes_too_much_memory_is_killed(pod: Engine) -> None:
    script = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo survived"
    limits = ["--memory", "20m", "--memory-swap", "20m"]
    result = pod(
        "run",
        "--name",
        "greedy",
        "--network",
        "none",
        *limits,
        "busybox",
        "sh",
        "-c",
        script,
        status=None,
    )
    assert "survived" not in result.stdout
    form = "{{.State.OOMKilled}} {{.State.ExitCode}}"
    assert pod("inspect", "--format", form, "greedy").out == "true 137"
    assert result.status == 137
    told = pod(
        "events", "--stream=false", "--filter", "container=greedy", "--format", "{{.Status}}"
    ).lines
    assert told.index("oom") < told.index("died")


@pytest.mark.needs_kernel("memory controller")
@pytest.mark.needs_kernel("swap")
@pytest.mark.parametrize(("megabytes", "fits"), [(15, True), (60, False)])
def test_swap_counts_and_has_a_limit(pod: Engine, megabytes: int, fits: bool) -> None:
    """What is in a tmpfs is memory, and may go to the swap space: 10 MB and 10 MB here."""
    script = f"head -c {megabytes}000000 /dev/zero >/t/a; echo wrote $?"
    options = "--network none --memory 10m --memory-swap 20m --tmpfs /t:size=1g".split()
    result = pod("run", "--name", "c", *options, "busybox", "sh", "-c", script, status=None)
    assert ("wrote 0" in result.stdout) == fits
    assert pod("inspect", "--format", "{{.State.OOMKilled}}", "c").out == str(not fits).lower()


@pytest.mark.needs_kernel("io controller")
def test_io_weight(pod: Engine) -> None:
    """A kernel built without the cost model (CONFIG_BLK_CGROUP_IOCOST) has no such file, and that is said."""
    script = "cat /sys/fs/cgroup/io.weight"
    command = ("--rm", "--network", "none", "--blkio-weight", "505", "busybox", "sh", "-c", script)
    result = pod("run", *command, status=None)
    if result.status == 0:
        assert result.lines[0] == "default 5000"
        assert "io.weight" not in result.stderr
    else:
        assert "limit io.weight of container" in result.stderr
        assert "this kernel has no io.weight" in result.stderr


@pytest.mark.needs_kernel("pids controller")
def test_a_fork_bomb_stays_within_its_limit(pod: Engine) -> None:
    script = "for i in $(seq 60); do sleep 1d & done; echo made all"
    options = ("--network", "none", "--pids-limit", "20")
    result = pod("run", "-d", "--name", "bomb", *options, "busybox", "sh", "-c", script + "; wait")
    assert result.status == 0
    until(lambda: "fork" in pod("logs", "bomb").stderr, "the limit")
    pod("rm", "-f", "-t", "0", "bomb")


@pytest.mark.needs_kernel("memory controller")
@pytest.mark.needs_kernel("cpu controller")
@pytest.mark.needs_kernel("cpuset controller")
@pytest.mark.needs_kernel("pids controller")
def test_update_of_a_running_container_is_in_force_at_once(pod: Engine) -> None:
    running(pod, "c", "--memory", "64m", "--cpus", "0.5")
    files = ("memory.max", "memory.swap.max", "cpu.max", "pids.max", "cpuset.cpus")
    options = "--memory 32m --cpu-quota 20000 --pids-limit 30 --cpuset-cpus 0".split()
    pod("update", *options, "c")
    assert in_cgroup(pod, "c", *files) == [
        *(str(32 * MIB),) * 2,
        "20000 100000",
        "30",
        "0",
    ]
    form = "{{.MemLimit}} {{.PIDs}}"
    assert pod("stats", "--no-stream", "--format", form, "c").out == f"{32 * MIB} 1"
    pod("update", "--memory", "0", "--cpu-quota", "-1", "c")
    assert in_cgroup(pod, "c", *files[:3]) == ["max", "max", "max 100000"]


@pytest.mark.needs_kernel("memory controller")
@pytest.mark.needs_kernel("cpuset controller")
def test_an_update_that_the_kernel_refuses_changes_nothing(pod: Engine) -> None:
    running(pod, "c", "--memory", "64m")
    before = pod("inspect", "-f", "{{json .HostConfig}}", "c").out
    result = pod("update", "--memory", "32m", "--cpuset-mems", "1000", "c", status=125)
    assert "cpuset.mems" in result.stderr
    assert in_cgroup(pod, "c", "memory.max") == [str(64 * MIB)]
    assert pod("inspect", "-f", "{{json .HostConfig}}", "c").out == before


@pytest.mark.needs_kernel("io controller")
def test_io_limits(pod: Engine) -> None:
    device, numbers = disk()
    running(pod, "c", "--device-write-bps", f"{device}:1m", "--device-read-iops", f"{device}:100")
    assert in_cgroup(pod, "c", "io.max") == [f"{numbers} rbps=max wbps=1048576 riops=100 wiops=max"]
    pod("update", "--device-write-bps", f"{device}:2m", "c")
    assert in_cgroup(pod, "c", "io.max") == [f"{numbers} rbps=max wbps=2097152 riops=100 wiops=max"]


def disk() -> tuple[str, str]:
    """A whole disk of this machine: its path, and MAJOR:MINOR."""
    for name in sorted(os.listdir("/sys/block")):
        if os.path.exists(f"/sys/block/{name}/device") and os.path.exists(f"/dev/{name}"):
            number = os.stat(f"/dev/{name}").st_rdev
            return f"/dev/{name}", f"{os.major(number)}:{os.minor(number)}"
    raise AssertionError("no disk")
