"""kill -9 of command, monitor and init at every step: afterwards every command works, and nothing is left.

The steps have names (pod/base/faults.py). Each test finds out which of them its command takes, and then kills whichever
process comes to it. The leak check after each test sees what the next command has not cleaned up.
"""

from __future__ import annotations

import os
import tempfile

import pytest

from tests.support.engine import Engine

pytestmark = pytest.mark.not_podman("its steps have no names at which it could be killed")

STEPS = [
    "create: locked",
    "create: directory",
    "create: root file system",
    "create: volumes",
    "create: row",
    "launch: run directory",
    "launch: ordered",
    "launch: reported",
    "monitor: ordered",
    "monitor: claimed",
    "monitor: container placed",
    "monitor: network begun",
    "monitor: container ready",
    "monitor: network up",
    "monitor: started",
    "monitor: ended",
    "monitor: exit file",
    "monitor: told",
    "init: mapped",
    "init: forked",
    "init: placed",
    "init: mounted",
    "init: started",
    "finish: seen",
    "finish: row",
    "stop: said",
    "stop: signalled",
    "stop: ended",
    "remove: row",
    "remove: files",
]
RUN_STEPS = [step for step in STEPS if step.partition(":")[0] not in {"stop", "remove", "finish"}]


def steps_of(pod: Engine, *command: str) -> set[str]:
    """The steps that the command and the processes that it starts take."""
    with tempfile.NamedTemporaryFile() as file:
        pod(*command, env={"POD_TEST_STEPS": file.name})
        with open(file.name, encoding="utf-8") as steps:
            return set(steps.read().splitlines())


def killed(pod: Engine, step: str, *command: str) -> None:
    """Run the command; whoever comes to the step is killed."""
    pod(*command, status=None, env={"POD_TEST_KILL_AT": step})


def check_that_all_is_well(pod: Engine) -> None:
    """Whatever was killed: containers can be listed, made, started, stopped and removed, by the same name too."""
    for line in pod("ps", "-a", "--format", "{{.ID}} {{.Names}} {{.Status}}").lines:
        pod("inspect", line.split()[0], status=None)  # one with --rm may end at any moment
    pod("rm", "-f", "-t", "0", "killed", status=None)
    pod("run", "--name", "killed", "--network", "none", "busybox", "true")
    pod("start", "killed")
    pod("wait", "killed")
    pod("rm", "killed")
    assert pod("run", "--rm", "--network", "none", "busybox", "echo", "well").out == "well"


def test_every_step_is_taken_by_the_commands_below(pod: Engine) -> None:
    seen = steps_of(pod, "run", "-d", "--name", "killed", "busybox", "sleep", "60")
    seen |= steps_of(pod, "stop", "-t", "1", "killed")
    seen |= steps_of(pod, "start", "killed")
    seen |= steps_of(pod, "rm", "-f", "-t", "0", "killed")
    seen |= steps_of(pod, "run", "--rm", "--network", "none", "busybox", "true")
    inside = {"init: mounted", "init: started"}  # the file is not seen from a container's root
    assert seen >= set(STEPS) - inside, f"not taken: {sorted(set(STEPS) - seen)}"
    assert seen <= {*STEPS, "monitor: shrunk"}, f"not in the list: {sorted(seen - set(STEPS))}"


@pytest.mark.parametrize("step", RUN_STEPS)
def test_run_in_the_background(pod: Engine, step: str) -> None:
    killed(pod, step, "run", "-d", "--name", "killed", "busybox", "sleep", "60")
    check_that_all_is_well(pod)


@pytest.mark.parametrize("step", STEPS)
def test_run_in_the_foreground_with_removal(pod: Engine, step: str) -> None:
    killed(pod, step, "run", "--rm", "--name", "killed", "--network", "none", "busybox", "true")
    check_that_all_is_well(pod)


@pytest.mark.parametrize("step", [step for step in STEPS if step.startswith("create")])
def test_create(pod: Engine, step: str) -> None:
    killed(pod, step, "create", "--name", "killed", "-v", "/data", "busybox", "true")
    check_that_all_is_well(pod)
    pod("volume", "prune", "-f")


@pytest.mark.parametrize("step", [step for step in RUN_STEPS if not step.startswith("create")])
def test_start(pod: Engine, step: str) -> None:
    pod("create", "--name", "killed", "--network", "none", "busybox", "sleep", "60")
    killed(pod, step, "start", "killed")
    assert "killed" in pod("ps", "-a", "--format", "{{.Names}}").lines, (
        "an acknowledged container is gone"
    )
    check_that_all_is_well(pod)


@pytest.mark.parametrize(
    "step",
    [
        step
        for step in STEPS
        if step.partition(":")[0] in {"stop", "finish"} or "exit" in step or "ended" in step
    ],
)
def test_stop(pod: Engine, step: str) -> None:
    pod("run", "-d", "--name", "killed", "--network", "none", "busybox", "sleep", "60",
        env={"POD_TEST_KILL_AT": step} if step.startswith("monitor") else None)  # fmt: skip
    killed(pod, step, "stop", "-t", "0" if step != "stop: signalled" else "1", "killed")
    assert pod("inspect", "--format", "{{.State.Running}}", "killed").out in {"true", "false"}
    check_that_all_is_well(pod)


@pytest.mark.parametrize(
    "step", [step for step in STEPS if step.partition(":")[0] in {"stop", "finish", "remove"}]
)
@pytest.mark.parametrize(
    "options", [("-f", "-t", "0"), ("-f", "-t", "1", "-v")], ids=["now", "gently"]
)
def test_rm(pod: Engine, step: str, options: tuple[str, ...]) -> None:
    pod(
        "run",
        "-d",
        "--name",
        "killed",
        "-v",
        "/data",
        "--network",
        "none",
        "busybox",
        "sleep",
        "60",
    )
    killed(pod, step, "rm", *options, "killed")
    check_that_all_is_well(pod)
    pod("volume", "prune", "-f")


@pytest.mark.parametrize("victim", ["monitor", "container"])
def test_death_of_a_running_container_is_noticed(pod: Engine, victim: str) -> None:
    pod("run", "-d", "--name", "killed", "busybox", "sleep", "60")
    number = pod("inspect", "--format", "{{.State.ConmonPid}} {{.State.Pid}}", "killed").out.split()
    os.kill(int(number[victim == "container"]), 9)
    pod("wait", "killed")
    state = pod("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "killed").out
    assert state == "exited 137"
    check_that_all_is_well(pod)
