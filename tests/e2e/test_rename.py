"""`pod rename`: another name, and nothing else."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.engine import Engine
from tests.support.waiting import until


def run(pod: Engine, name: str, *options: str) -> None:
    pod("run", "-d", "--network", "none", "--name", name, *options, "busybox", "sleep", "1000")


@pytest.mark.not_podman("its words differ")
def test_a_name_that_is_taken_is_named_with_what_can_be_done(pod: Engine) -> None:
    run(pod, "one")
    run(pod, "two")
    error = pod("rename", "one", "two", status=125).stderr
    assert "'two'" in error and "pod rm two" in error
    assert "--replace" not in error  # which `create` has


def names(pod: Engine) -> list[str]:
    return sorted(pod("ps", "-a", "--format", "{{.Names}}").lines)


def test_a_running_container_gets_another_name_and_keeps_the_rest(pod: Engine) -> None:
    run(pod, "old", "--hostname", "host")
    before = pod("inspect", "-f", "{{.Id}} {{.State.Pid}}", "old").out
    assert pod("rename", "old", "new").stdout == ""
    assert names(pod) == ["new"]
    assert pod("inspect", "-f", "{{.Id}} {{.State.Pid}}", "new").out == before
    assert pod("exec", "new", "hostname").out == "host"
    pod("inspect", "old", status=125)
    pod("create", "--name", "old", "busybox")  # the name is free
    pod("stop", "-t", "0", "new")
    pod("start", "new")
    assert pod("exec", "new", "hostname").out == "host"


@pytest.mark.not_podman(
    "conmon keeps the name that it was started with, health checks need systemd"
)
def test_events_that_come_later_say_the_new_name(pod: Engine) -> None:
    """Of the monitor: it restarts the container, and has its health checked."""
    script = "test -e /go && exec sleep 1000; until test -e /go; do sleep 0.05; done; exit 3"
    health = ("--health-cmd", "true", "--health-interval", "1h")
    number = pod(
        *("run", "-d", "--network", "none", "--name", "old", "--restart", "on-failure:1", *health),
        *("busybox", "sh", "-c", script),
    ).out

    def told() -> list[str]:
        command = ("events", "--stream=false", "--since", "0", "--filter", f"container={number}")
        return pod(*command, "--format", "{{.Name}} {{.Status}}").lines

    until(lambda: "old health_status" in told(), "the first check")
    pod("rename", "old", "new")
    pod("update", "--health-retries", "4", "new")  # another order of the next start
    pod("exec", "new", "touch", "/go", status=None)  # the container may end before `touch`
    until(lambda: "new health_status" in told(), "a check after the restart")
    pod("rm", "-f", "-t", "0", "new")
    lines = told()
    later = lines[lines.index("new rename") + 1 :]
    assert not [line for line in later if not line.startswith("new ")], lines
    of_monitor = [line for line in later if line.split()[1] in {"died", "restart", "init", "start"}]
    assert of_monitor[:4] == ["new died", "new restart", "new init", "new start"]


def test_by_id_and_by_its_second_name(pod: Engine) -> None:
    number = pod("create", "--name", "c", "busybox").out
    pod("container", "rename", number[:12], "d")
    assert names(pod) == ["d"]


@pytest.mark.parametrize("name", ["taken", "a b", "", "-x"])
def test_a_name_that_is_taken_or_none_is_refused(pod: Engine, name: str) -> None:
    pod("create", "--name", "c", "busybox")
    pod("create", "--name", "taken", "busybox")
    result = pod("rename", "--", "c", name, status=125)
    if name and pod.kind == "pod":
        assert f"'{name}'" in result.stderr
    pod("rename", "c", "c")  # it may be its own
    assert names(pod) == ["c", "taken"]


def test_what_does_not_exist_is_named(pod: Engine) -> None:
    assert "nobody" in pod("rename", "nobody", "x", status=125).stderr


def test_one_of_many_gets_the_name(pod: Engine) -> None:
    count = 6
    for number in range(count):
        pod("create", "--name", f"c{number}", "busybox")
    running = [
        pod.spawn(
            "rename", f"c{number}", "wanted", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for number in range(count)
    ]
    statuses = sorted(process.wait(60) for process in running)
    assert statuses == [0] + [125] * (count - 1)
    assert len(names(pod)) == count and names(pod).count("wanted") == 1
