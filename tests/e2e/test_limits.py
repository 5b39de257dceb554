"""Resource limits, on a kernel and a session that let an ordinary user set them."""

from __future__ import annotations

import pytest

from tests.support.engine import Engine

LIMITS = [
    pytest.param(["--memory", "64m"], "memory.max", "67108864", id="memory"),
    pytest.param(["--pids-limit", "50"], "pids.max", "50", id="pids"),
    pytest.param(["--cpus", "0.5"], "cpu.max", "50000 100000", id="cpus"),
]


@pytest.mark.needs_kernel("memory controller")
@pytest.mark.needs_kernel("pids controller")
@pytest.mark.needs_kernel("cpu controller")
@pytest.mark.parametrize(("options", "file", "value"), LIMITS)
def test_limit_is_in_force(pod: Engine, options: list[str], file: str, value: str) -> None:
    command = [
        "run",
        "--rm",
        "--network",
        "none",
        *options,
        "busybox",
        "cat",
        f"/sys/fs/cgroup/{file}",
    ]
    assert pod(*command).out == value


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
    assert pod("inspect", "--format", "{{.State.OOMKilled}}", "greedy").out == "true"
