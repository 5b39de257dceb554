"""Pods from `pod pod create` to `pod pod rm`: what their containers share, and how they start and end together."""

from __future__ import annotations

import os

from tests.support.engine import Engine

SLEEP = ("busybox", "sleep", "1000")


def make(pod: Engine, name: str, *options: str) -> str:
    """A pod that is not connected to anything, for speed."""
    return pod("pod", "create", "--network", "none", "--name", name, *options).out


def states(pod: Engine, name: str) -> dict[str, str]:
    """The state of each container of a pod."""
    rows = pod("ps", "-a", "--filter", f"pod={name}", "--format", "json").json()
    return {row["Names"][0]: row["State"] for row in rows}


def test_containers_of_a_pod_share_namespaces(pod: Engine) -> None:
    number = make(pod, "shop")
    infra = f"{number[:12]}-infra"
    pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
    listed = pod(
        "run", "--rm", "--pod", number, "--name", "two", "busybox", "ls", "-l", "/proc/self/ns"
    )
    links = {line.split()[-3]: line.split()[-1] for line in listed.lines if "->" in line}
    other = pod("exec", "one", "ls", "-l", "/proc/self/ns")
    others = {line.split()[-3]: line.split()[-1] for line in other.lines if "->" in line}
    same = {name for name in links if links[name] == others[name]}
    assert {"ipc", "net", "user", "uts"} <= same
    assert not {"pid", "mnt"} & same
    assert pod("exec", "one", "hostname").out == "shop"
    assert states(pod, "shop") == {infra: "running", "one": "running"}
    pod("pod", "rm", "--force", "--time", "0", "shop")
    assert pod("ps", "-aq").out == ""


def test_monitors_that_one_command_made_are_apart(pod: Engine) -> None:
    """The first `run` in a pod starts the infra container, too: each has its monitor, neither needs the other."""
    make(pod, "shop")
    pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
    names = pod("ps", "--filter", "pod=shop", "--format", "{{.Names}}").lines
    monitors = {int(pod("inspect", "-f", "{{.State.ConmonPid}}", name).out) for name in names}
    assert len(names) == len(monitors) == 2
    for monitor in monitors:
        assert os.getsid(monitor) == monitor
        with open(f"/proc/{monitor}/stat") as file:
            assert int(file.read().rpartition(")")[2].split()[1]) not in monitors
    pod("kill", "one")
    pod("wait", "--condition", "exited", "one")
    assert pod("run", "--rm", "--pod", "shop", "busybox", "hostname").out == "shop"
    pod("pod", "rm", "--force", "--time", "0", "shop")


def test_stop_and_start_are_for_all_containers(pod: Engine) -> None:
    make(pod, "shop")
    pod("create", "--pod", "shop", "--name", "one", *SLEEP)
    pod("create", "--pod", "shop", "--name", "two", *SLEEP)
    assert pod("pod", "ps", "--format", "{{.Name}} {{.Status}}").out == "shop Created"
    pod("pod", "start", "shop")
    assert pod("pod", "ps", "--format", "{{.Name}} {{.Status}}").out == "shop Running"
    pod("stop", "--time", "0", "two")
    assert pod("pod", "ps", "--format", "{{.Name}} {{.Status}}").out == "shop Degraded"
    pod("pod", "stop", "--time", "0", "shop")
    assert pod("pod", "ps", "--format", "{{.Name}} {{.Status}}").out == "shop Exited"
    pod("pod", "rm", "shop")
    assert pod("pod", "exists", "shop", status=1)


def test_what_runs_is_removed_by_force_only(pod: Engine) -> None:
    make(pod, "shop")
    pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
    refused = pod("pod", "rm", "shop", status=125)
    assert "one" in refused.stderr or "force" in refused.stderr
    infra = pod("pod", "ps", "--format", "{{.InfraID}}").out
    refused = pod("rm", "--force", infra, status=125)
    assert "is the infra container of pod" in refused.stderr
    pod("pod", "rm", "--force", "--time", "0", "shop")
    assert pod("pod", "rm", "shop", status=1)
    pod("pod", "rm", "--ignore", "shop")


def test_names_of_pods_and_containers_differ(pod: Engine) -> None:
    make(pod, "shop")
    assert "in use" in pod("create", "--name", "shop", *SLEEP, status=125).stderr
    pod("create", "--name", "one", *SLEEP)
    assert "in use" in pod("pod", "create", "--name", "one", status=125).stderr
