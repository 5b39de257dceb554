"""`pod pause` and `pod unpause`, and what other commands do with a paused container."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.waiting import is_there, until

pytestmark = pytest.mark.not_podman("the tests give it no cgroup, without which it pauses nothing")

COUNTING = ("busybox", "sh", "-c", "while true; do echo x; usleep 5000; done")
POLITE = ("busybox", "sh", "-c", "trap 'exit 3' TERM; echo ready; while true; do usleep 5000; done")


def start(pod: Engine, name: str, *words: str) -> str:
    number = pod("run", "-d", "--network", "none", "--name", name, *words).out
    until(lambda: pod("logs", name).stdout, "the first line")
    return number


def status(pod: Engine, name: str) -> str:
    return pod("inspect", "-f", "{{.State.Status}} {{.State.Paused}}", name).out


def steps(pid: str) -> int:
    """How often the process gave up the processor; once it stands still, that may be counted one more time."""
    (number,) = re.findall(
        r"^voluntary_ctxt_switches:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M
    )
    return int(number)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="cgroup"),
        pytest.param(["--cgroups", "disabled"], id="signals"),
    ],
)
def test_a_paused_container_stands_still_and_goes_on(pod: Engine, options: list[str]) -> None:
    start(pod, "c", *options, *COUNTING)
    assert pod("pause", "c").out == "c"
    assert status(pod, "c") == "paused true"
    assert "aused" in pod("ps", "--format", "{{.Status}}", "--filter", "name=c").out
    pid = pod("inspect", "-f", "{{.State.Pid}}", "c").out
    before = steps(pid)
    pod("exec", "c", "true", status=125)
    assert steps(pid) <= before + 1
    assert pod("unpause", "c").out == "c"
    assert status(pod, "c") == "running false"
    until(lambda: steps(pid) > before + 1, "it to go on")


def test_names_options_and_failures(pod: Engine, tmp_path: Path) -> None:
    first = start(pod, "a", "--cidfile", str(tmp_path / "id"), "-l", "x=y", *COUNTING)
    start(pod, "b", *COUNTING)
    result = pod("pause", "a", "nothing", "b", status=125)
    assert result.lines == ["a", "b"]
    assert "nothing" in result.stderr
    assert pod("ps", "-a", "--filter", "status=paused", "-q", "--no-trunc").lines[0] == first
    assert pod("pause", "a", status=125).stderr
    pod("unpause", "--all")
    assert pod("unpause", "a", status=125).stderr
    pod("pause", "--cidfile", str(tmp_path / "id"))
    assert status(pod, "a") == "paused true"
    pod("unpause", "--filter", "label=x=y")
    assert status(pod, "a") == "running false"
    pod("pause", "--latest")
    assert status(pod, "b") == "paused true"
    pod("create", "--name", "never", "busybox")
    assert pod("pause", "never", status=125).stderr


def test_stop_lets_a_paused_container_take_its_signal(pod: Engine) -> None:
    start(pod, "c", *POLITE)
    pod("pause", "c")
    pod("stop", "c")
    assert pod("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "c").out == "exited 3"


def test_kill_and_removal_of_a_paused_container(pod: Engine) -> None:
    start(pod, "k", *COUNTING)
    start(pod, "r", *COUNTING)
    pod("pause", "k", "r")
    assert "paused" in pod("rm", "r", status=None).stderr
    pod("rm", "-f", "-t", "0", "r")
    assert "paused" in pod("start", "k", status=125).stderr
    pod("exec", "k", "true", status=125)
    pod("kill", "k")
    until(lambda: status(pod, "k") == "exited false", "the end")
    pod("start", "k")
    assert status(pod, "k") == "running false"


def test_a_paused_container_does_not_outlive_its_monitor(pod: Engine) -> None:
    start(pod, "c", *COUNTING)
    pod("pause", "c")
    pid = int(pod("inspect", "-f", "{{.State.Pid}}", "c").out)
    os.kill(int(pod("inspect", "-f", "{{.State.ConmonPid}}", "c").out), signal.SIGKILL)
    until(lambda: status(pod, "c") == "exited false", "the end to be noticed")
    until(lambda: not is_there(pid), "the process to be gone")
    pod("start", "c")
    assert status(pod, "c") == "running false"


def test_what_cannot_be_paused_is_said(pod: Engine) -> None:
    start(pod, "c", "--cgroups", "disabled", "--pid", "host", *COUNTING)
    assert "neither a cgroup nor a PID namespace" in pod("pause", "c", status=125).stderr
    assert status(pod, "c") == "running false"


def test_kill_9_of_pause_and_unpause_leaves_what_unpause_repairs(pod: Engine) -> None:
    start(pod, "c", *COUNTING)
    pid = pod("inspect", "-f", "{{.State.Pid}}", "c").out
    for command, step in (("pause", "pause: said"), ("unpause", "unpause: thawed")):
        pod(command, "c", status=None, env={"POD_TEST_KILL_AT": step})
        assert status(pod, "c") == "paused true"
        if command == "pause":
            pod("unpause", "c")
            pod("pause", "c")
    pod("unpause", "c")
    assert status(pod, "c") == "running false"
    before = steps(pid)
    until(lambda: steps(pid) > before + 1, "it to go on")


def test_a_restart_does_not_stay_paused(pod: Engine) -> None:
    start(pod, "c", "--restart", "always", *COUNTING)
    pod("pause", "c")
    os.kill(int(pod("inspect", "-f", "{{.State.Pid}}", "c").out), signal.SIGKILL)
    until(lambda: status(pod, "c") == "running false", "the restart")


@pytest.mark.parametrize("step", ["pause: said", "commit: paused"])
def test_what_a_killed_commit_has_paused_goes_on_with_the_next_command(
    pod: Engine, step: str
) -> None:
    start(pod, "c", *COUNTING)
    pod("commit", "--pause", "c", status=-9, env={"POD_TEST_KILL_AT": step})
    assert "container 'c' goes on" in pod("ps").stderr
    assert status(pod, "c") == "running false"
    pid = pod("inspect", "-f", "{{.State.Pid}}", "c").out
    before = steps(pid)
    until(lambda: steps(pid) > before + 1, "it to go on")
    pod("pause", "c")  # for good, whoever has done that is gone, too
    assert pod("ps").stderr == "" and status(pod, "c") == "paused true"
