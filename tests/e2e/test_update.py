"""`pod update`: what is stored, what the next start has, and what is refused. Limits in force: test_limits.py."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("4.3 changes nothing but the cgroup, and needs one")


def limits(pod: Engine, name: str) -> str:
    return pod(
        "inspect",
        "-f",
        "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}}",
        name,
    ).out


def create(pod: Engine, name: str, *options: str, command: tuple[str, ...] = ("true",)) -> str:
    return pod("create", "--name", name, "--network", "none", *options, "busybox", *command).out


def test_a_stopped_container_has_the_new_limits(pod: Engine) -> None:
    number = create(pod, "c", "--memory", "64m", "--pids-limit", "50")
    assert pod("update", "--memory", "32m", "c").out == number
    assert limits(pod, "c") == f"{32 << 20} {64 << 20} 50"
    pod("update", "--memory-swap", "-1", "--pids-limit", "-1", "c")
    assert limits(pod, "c") == f"{32 << 20} -1 0"
    pod("update", "--memory", "16m", "--latest")
    assert limits(pod, "c") == f"{16 << 20} -1 0"


def test_environment_for_the_next_start(pod: Engine) -> None:
    create(pod, "c", "--env", "A=1", "--env", "B=2", command=("env",))
    pod("update", "--env", "A=3", "--env", "C=4", "--unsetenv", "B", "c")
    lines = pod("start", "-a", "c").lines
    assert {"A=3", "C=4"} <= set(lines)
    assert not any(line.startswith("B=") for line in lines)


def test_what_is_wrong_changes_nothing(pod: Engine) -> None:
    create(pod, "c", "--memory", "64m")
    before = limits(pod, "c")
    for options, words in (
        (["--memory", "much"], "--memory"),
        (["--memory-swap", "1m"], "--memory-swap"),
        (["--memory", "32m", "--restart", "sometimes"], "--restart"),
        (["--cpus", "1", "--cpu-quota", "1000"], "--cpus"),
        (["--memory", "32m", "--memory-reservation", "33m"], "--memory-reservation"),
        ([], "what to change"),
    ):
        assert words in pod("update", *options, "c", status=125).stderr
    assert limits(pod, "c") == before
    assert pod("update", "--memory", "1m", "nothing", status=125).stderr
    create(pod, "gone", "--rm")
    assert "--rm" in pod("update", "--restart", "always", "gone", status=125).stderr


@pytest.mark.parametrize("options", [[], ["--restart", "on-failure:1"]], ids=["none", "other"])
def test_a_running_container_gets_a_restart_policy(pod: Engine, options: list[str]) -> None:
    command = ("run", "-d", "--name", "c", "--network", "none", *options, "busybox", "sleep", "1d")
    pod(*command)
    pod("exec", "c", "sh", "-c", "echo 192.0.2.1 mine >>/etc/hosts")
    pod("update", "--restart", "always", "--env", "NEW=1", "c")
    assert "mine" in pod("exec", "c", "cat", "/etc/hosts").out
    assert pod("inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", "c").out == "always"
    first = pod("inspect", "-f", "{{.State.Pid}}", "c").out
    os.kill(int(first), signal.SIGKILL)
    form = "{{.State.Status}} {{.RestartCount}}"
    until(lambda: pod("inspect", "-f", form, "c").out == "running 1", "the restart")
    # It counts as running just before it becomes its command.
    read = ("exec", "c", "cat", "/proc/1/environ")
    until(lambda: "NEW=1" in pod(*read, status=None).stdout, "the new variable")
    pod("update", "--restart", "no", "c")
    os.kill(int(pod("inspect", "-f", "{{.State.Pid}}", "c").out), signal.SIGKILL)
    until(lambda: pod("inspect", "-f", form, "c").out == "exited 1", "the end")


def test_the_policy_of_a_settled_monitor_changes(pod: Engine) -> None:
    command = ("run", "-d", "--name", "c", "--network", "none", "busybox", "sleep", "1d")
    pod(*command, env={"POD_TEST_SHRINK_SECONDS": "0.05"})
    monitor = pod("inspect", "-f", "{{.State.ConmonPid}}", "c").out
    until(
        lambda: "pod.monitor.resume" in Path(f"/proc/{monitor}/cmdline").read_text(),
        "a fresh interpreter",
    )
    pod("update", "--restart", "always", "c")
    os.kill(int(pod("inspect", "-f", "{{.State.Pid}}", "c").out), signal.SIGKILL)
    form = "{{.State.Status}} {{.RestartCount}}"
    until(lambda: pod("inspect", "-f", form, "c").out == "running 1", "the restart")


def test_limits_of_a_running_container_need_their_controller(pod: Engine) -> None:
    options = ("-d", "--network", "none", "--cgroups", "disabled")
    pod("run", "--name", "none", *options, "busybox", "sleep", "1d")
    assert "--cgroups=disabled" in pod("update", "--memory", "64m", "none", status=125).stderr
    pod("run", "--name", "c", *options[:-2], "busybox", "sleep", "1d")
    before = pod("inspect", "-f", "{{json .HostConfig}}", "c").out
    result = pod("update", "--device-read-iops", "/dev/nothing:10", "c", status=125)
    assert "/dev/nothing" in result.stderr
    assert pod("inspect", "-f", "{{json .HostConfig}}", "c").out == before


def test_an_update_while_the_container_is_stopped_does_not_start_it_again(pod: Engine) -> None:
    script = "trap '' TERM; echo ready; while true; do usleep 10000; done"
    pod("run", "-d", "--name", "c", "--network", "none", "busybox", "sh", "-c", script)
    until(lambda: pod("logs", "c").stdout, "being ready")
    with pod.spawn("stop", "-t", "1", "c") as stop:
        pod("update", "--restart", "always", "c")
        assert stop.wait(60) == 0
    assert pod("inspect", "-f", "{{.State.Status}}", "c").out == "exited"
    assert pod("inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", "c").out == "always"


def test_kill_9_of_an_update_leaves_a_container_that_works(pod: Engine) -> None:
    pod("run", "-d", "--name", "c", "--network", "none", "busybox", "sleep", "1d")
    for step in ("update: applied", "update: stored"):
        pod("update", "--restart", "always", "c", status=None, env={"POD_TEST_KILL_AT": step})
        assert pod("exec", "c", "echo", "in").out == "in"
    pod("update", "--restart", "no", "c")
    pod("stop", "-t", "0", "c")
    assert pod("inspect", "-f", "{{.State.Status}}", "c").out == "exited"
