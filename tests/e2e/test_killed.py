"""kill -9 of command, monitor and init at every step: afterwards every command works, and nothing is left.

The steps have names (pod/base/faults.py). The first test finds out which of them the commands take; the others go
through the steps of one part of the program in one root, kill whichever process comes to the step, and look after each
whether all is well. Images and volumes have test_killed_storage.py.
"""

from __future__ import annotations

import os
import tempfile

import pytest

from tests.support.checks import nothing_wrong
from tests.support.engine import Engine

pytestmark = pytest.mark.not_podman("its steps have no names at which it could be killed")

PARTS = {
    "create": ["locked", "directory", "root file system", "volumes", "row"],
    "launch": ["run directory", "ordered", "reported"],
    "monitor before the container": [
        "network begun early",
        "holder opened early",
        "ordered",
        "claimed",
        "container placed",
        "network begun",
    ],
    "monitor beside the container": ["container ready", "network up", "started"],
    "monitor after the container": ["ended", "exit file", "told"],
    "init": ["before its network", "mapped", "forked", "placed", "mounted", "started"],
    "attach": ["connected"],
    "finish": ["seen", "row"],
    "stop": ["said", "signalled", "ended"],
    "remove": ["row", "files"],
}
STEPS = [f"{part.split()[0]}: {step}" for part, steps in PARTS.items() for step in steps]
STARTING = [part for part in PARTS if part.split()[0] in {"launch", "monitor", "init"}]


def steps_in(part: str) -> list[str]:
    return [f"{part.split(maxsplit=1)[0]}: {step}" for step in PARTS[part]]


def steps_of(pod: Engine, *command: str) -> set[str]:
    """The steps that the command and the processes that it starts take."""
    with tempfile.NamedTemporaryFile() as file:
        pod(*command, env={"POD_TEST_STEPS": file.name})
        with open(file.name, encoding="utf-8") as steps:
            return set(steps.read().splitlines())


def killed(pod: Engine, step: str, *command: str) -> None:
    """Run the command; whoever comes to the step is killed."""
    pod(*command, status=None, env={"POD_TEST_KILL_AT": step})


def is_well(pod: Engine, step: str = "") -> None:
    """Whatever was killed: containers can be listed, removed and made, by the same name too, and nothing is left."""
    for number in pod("ps", "-a", "-q").lines:
        pod("inspect", number, status=None)  # one with --rm may end at any moment
    pod("rm", "-f", "-t", "0", "killed", status=None)
    made = pod("run", "--rm", "--name", "killed", "--network", "none", "busybox", "echo", "well")
    assert made.out == "well"
    nothing_wrong(pod, max_age="24h", after=step)


def test_every_step_is_taken_by_the_commands_below(pod: Engine) -> None:
    seen = steps_of(pod, "run", "-d", "--name", "killed", "busybox", "sleep", "60")
    seen |= steps_of(pod, "stop", "-t", "1", "killed")
    seen |= steps_of(pod, "start", "killed")
    seen |= steps_of(pod, "rm", "-f", "-t", "0", "killed")
    seen |= steps_of(pod, "run", "--rm", "--network", "none", "busybox", "true")
    seen |= steps_of(pod, "run", "--rm", "--network", "private", "busybox", "true")
    inside = {"init: mounted", "init: started"}  # the file is not seen from a container's root
    assert seen >= set(STEPS) - inside, f"not taken: {sorted(set(STEPS) - seen)}"
    of_others = {"monitor: shrunk", "trash: begun"}
    assert seen <= {*STEPS, *of_others}, f"not in the list: {sorted(seen - set(STEPS))}"


@pytest.mark.parametrize("part", ["create", *STARTING])
def test_run_in_the_background(pod: Engine, part: str) -> None:
    for step in steps_in(part):
        killed(pod, step, "run", "-d", "--name", "killed", "busybox", "sleep", "60")
        is_well(pod, step)


def test_run_in_the_background_with_a_network_of_its_own(pod: Engine) -> None:
    words = ("run", "-d", "--name", "killed", "--network", "private", "busybox", "sleep", "60")
    for step in steps_in("monitor before the container"):
        killed(pod, step, *words)
        is_well(pod, step)


@pytest.mark.parametrize("part", [part for part in PARTS if part not in {"create", "stop"}])
def test_run_in_the_foreground_with_removal(pod: Engine, part: str) -> None:
    for step in steps_in(part):
        killed(pod, step, "run", "--rm", "--name", "killed", "--network", "none", "busybox", "true")
        is_well(pod, step)


def test_create(pod: Engine) -> None:
    pod("volume", "create", "kept")
    for step in steps_in("create"):
        killed(
            pod, step, "create", "--name", "killed", "-v", "/data", "-v", "kept:/kept", "busybox"
        )
        is_well(pod, step)
        left = set(pod("volume", "ls", "-q").lines) - {"kept"}
        # `rm` of one that was made leaves the volume; the others have never been.
        assert len(left) == (step == "create: row"), step
    pod("volume", "prune", "-f")


@pytest.mark.parametrize("part", STARTING)
def test_start(pod: Engine, part: str) -> None:
    pod("create", "--name", "other", "--network", "none", "busybox", "sleep", "60")
    for step in steps_in(part):
        killed(pod, step, "start", "other")
        state = pod("inspect", "--format", "{{.State.Status}}", "other").out
        assert state in {"created", "exited", "running"}
        is_well(pod, step)
        pod("stop", "-t", "0", "other")
    pod("start", "other")
    assert pod("exec", "other", "echo", "in").out == "in"


STOPPING = ["stop: said", "stop: signalled", "stop: ended", "finish: seen", "finish: row"]


def test_stop(pod: Engine) -> None:
    pod("create", "--name", "other", "--network", "none", "busybox", "sleep", "60")
    for step in [*STOPPING, *steps_in("monitor after the container")]:
        of_monitor = step.startswith("monitor")
        pod("start", "other", env={"POD_TEST_KILL_AT": step} if of_monitor else None)
        killed(pod, step, "stop", "-t", "1" if step == "stop: signalled" else "0", "other")
        running = pod("inspect", "--format", "{{.State.Running}}", "other").out
        assert running in {"true", "false"}
        is_well(pod, step)
        pod("stop", "-t", "0", "other")


def test_rm(pod: Engine) -> None:
    for step in [*STOPPING, "remove: row", "remove: files"]:
        seconds = "1" if step == "stop: signalled" else "0"
        pod("run", "-d", "--name", "killed", "-v", "/data", "--network", "none", "busybox", "sleep",
            "60")  # fmt: skip
        killed(pod, step, "rm", "-f", "-t", seconds, "-v", "killed")
        is_well(pod, step)
    pod("volume", "prune", "-f")


def test_removal_of_all_containers_leaves_nothing_of_killed_commands(pod: Engine) -> None:
    for name in ("one", "other"):
        pod("run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "60")
    for step in steps_in("create")[:-1]:
        killed(pod, step, "create", "busybox")
    pod("rm", "-f", "-a", "-t", "0")
    assert os.listdir(f"{pod.root}/containers") == []


def test_a_start_that_was_killed_is_told_as_that(pod: Engine) -> None:
    pod("create", "--name", "other", "--network", "none", "busybox", "sleep", "60")
    killed(pod, "launch: run directory", "start", "other")
    said = pod("ps", "-a").stderr
    assert "'other' has ended: its start was broken off" in said
    assert "broken off" in pod("inspect", "--format", "{{.State.Error}}", "other").out


@pytest.mark.parametrize("victim", ["monitor", "container"])
def test_death_of_a_running_container_is_noticed(pod: Engine, victim: str) -> None:
    pod("run", "-d", "--name", "killed", "busybox", "sleep", "60")
    number = pod("inspect", "--format", "{{.State.ConmonPid}} {{.State.Pid}}", "killed").out.split()
    os.kill(int(number[victim == "container"]), 9)
    pod("wait", "killed")
    state = pod("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "killed").out
    assert state == "exited 137"
    is_well(pod)
