"""Pods that end with their last container, init containers, restart policies: what happens without being typed."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.support.engine import Engine
from tests.support.waiting import until

Make = Callable[..., str]
SLEEP = ("busybox", "sleep", "1000")


@pytest.fixture
def make(pod: Engine) -> Make:
    def do(name: str, *options: str) -> str:
        return pod("pod", "create", "--network", "none", "--name", name, *options).out

    return do


def state(pod: Engine, name: str) -> str:
    return pod("pod", "ps", "--filter", f"name={name}", "--format", "{{.Status}}").out


def has_exited(pod: Engine, name: str) -> None:
    until(lambda: state(pod, name) == "Exited", f"the end of pod {name}")


def test_the_pod_goes_on_by_default(pod: Engine, make: Make) -> None:
    make("shop")
    pod("run", "--pod", "shop", "busybox", "true")
    assert state(pod, "shop") == "Degraded"


def test_the_pod_stops_with_its_last_container(pod: Engine, make: Make) -> None:
    make("shop", "--exit-policy", "stop")
    pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
    pod("run", "--pod", "shop", "busybox", "true")
    assert state(pod, "shop") == "Degraded"  # one of its containers runs
    pod("stop", "-t", "0", "one")
    has_exited(pod, "shop")
    pod("start", "one")
    assert pod("exec", "one", "hostname").out == "shop"


def test_also_when_its_container_was_removed(pod: Engine, make: Make) -> None:
    make("shop", "--exit-policy", "stop")
    pod("run", "--rm", "--pod", "shop", "busybox", "true")
    has_exited(pod, "shop")


def test_also_when_the_command_that_waited_was_killed(pod: Engine, make: Make) -> None:
    make("shop", "--exit-policy", "stop")
    script = "echo ready; while [ ! -e /dev/shm/end ]; do sleep 0.05; done"
    with pod.spawn(
        "run", "--pod", "shop", "--name", "one", "busybox", "sh", "-c", script
    ) as waiting:
        until(lambda: "ready" in pod("logs", "one", status=None).stdout, "the container")
        waiting.send_signal(signal.SIGKILL)
        waiting.wait()
    pod("exec", "one", "touch", "/dev/shm/end", status=None)  # the container may end before `touch`
    has_exited(pod, "shop")


@pytest.mark.not_podman("kill -9 of a monitor leaves the pod running there")
def test_also_when_the_monitor_was_killed(pod: Engine, make: Make) -> None:
    make("shop", "--exit-policy", "stop")
    pod(
        "run",
        "-d",
        "--pod",
        "shop",
        "--name",
        "one",
        *SLEEP,
        env={"POD_TEST_KILL_AT": "monitor: ended"},
    )
    pod("kill", "one")
    has_exited(pod, "shop")


def test_init_containers_run_before_the_others(pod: Engine, make: Make) -> None:
    make("shop")
    volume = ("-v", "order:/order")
    say = "echo {} >>/order/file"
    pod("create", "--pod", "shop", *volume, "--init-ctr", "once", "--name", "first", "busybox", "sh",
        "-c", "sleep 0.2; " + say.format("first"))  # fmt: skip
    pod("create", "--pod", "shop", *volume, "--init-ctr", "always", "--name", "second", "busybox", "sh",
        "-c", say.format("second"))  # fmt: skip
    pod("create", "--pod", "shop", *volume, "--name", "third", "busybox", "sh", "-c",
        say.format("third") + "; sleep 1000")  # fmt: skip
    pod("pod", "start", "shop")
    read = ("exec", "third", "cat", "/order/file")
    until(lambda: "third" in pod(*read).stdout, "the last of them")
    assert pod(*read).lines == ["first", "second", "third"]
    assert "first" not in pod("ps", "-a", "--format", "{{.Names}}").lines
    pod("pod", "stop", "-t", "0", "shop")
    pod("pod", "start", "shop")
    until(lambda: pod(*read).stdout.count("third") == 2, "the last of them, again")
    assert pod(*read).lines == ["first", "second", "third", "second", "third"]


def test_nothing_starts_after_an_init_container_that_failed(pod: Engine, make: Make) -> None:
    make("shop")
    pod("create", "--pod", "shop", "--init-ctr", "always", "--name", "first", "busybox", "false")
    pod("create", "--pod", "shop", "--name", "second", *SLEEP)
    failed = pod("pod", "start", "shop", status=125)
    assert "first" in failed.stderr or "init container" in failed.stderr
    assert pod("inspect", "--format", "{{.State.Status}}", "second").out == "created"


def test_an_init_container_is_for_a_pod_that_does_not_run(pod: Engine, make: Make) -> None:
    make("shop")
    pod("run", "-d", "--pod", "shop", *SLEEP)
    refused = pod("create", "--pod", "shop", "--init-ctr", "once", "busybox", "true", status=125)
    assert "init" in refused.stderr
    assert (
        "--pod" in pod("create", "--init-ctr", "once", "busybox", "true", status=125).stderr
        or pod.kind != "pod"
    )


@pytest.mark.not_podman("podman 4.3 has no restart policy of pods")
def test_containers_get_the_restart_policy_of_the_pod(pod: Engine, make: Make) -> None:
    make("shop", "--restart", "on-failure:2")
    pod("create", "--pod", "shop", "--name", "one", *SLEEP)
    pod("create", "--pod", "shop", "--name", "own", "--restart", "no", *SLEEP)
    pod("create", "--pod", "shop", "--name", "removed", "--rm", *SLEEP)
    policies = [
        pod("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", name).out
        for name in ("one", "own", "removed")
    ]
    assert policies == ["on-failure", "no", "no"]
    boot = pod("ps", "-aq", "--filter", "should-start-on-boot=true")
    assert boot.lines == []
