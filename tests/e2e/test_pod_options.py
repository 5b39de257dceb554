"""Options of `pod pod create` and of containers in pods, lists of pods, and what other commands say of them."""

from __future__ import annotations

import os

import pytest

from tests.support.engine import Engine

SLEEP = ("busybox", "sleep", "1000")


def make(pod: Engine, name: str, *options: str) -> str:
    return pod("pod", "create", "--network", "none", "--name", name, *options).out


def row(pod: Engine, name: str) -> dict[str, object]:
    rows = pod("pod", "ps", "--format", "json", "--filter", f"name={name}").json()
    assert len(rows) == 1
    return dict(rows[0])


def inspected(pod: Engine, name: str) -> dict[str, object]:
    found = pod("pod", "inspect", name).json()
    return dict(found[0] if isinstance(found, list) else found)


def test_lists(pod: Engine) -> None:
    first = make(pod, "first", "--label", "kind=a")
    pod("pod", "create", "--name", "second", "--infra=false")
    pod("create", "--pod", "first", "--name", "one", *SLEEP)
    listed = pod("pod", "ps")
    assert listed.lines[0].split() == (
        ["POD", "ID", "NAME", "STATUS", "CREATED", "INFRA", "ID", "#", "OF", "CONTAINERS"]
    )
    assert [line.split()[1] for line in listed.lines[1:]] == ["second", "first"]
    assert pod("pod", "ps", "-q", "--no-trunc").lines[1] == first
    assert pod("pod", "ps", "-q", "--filter", "label=kind").out == first
    assert pod("pod", "ps", "-q", "--filter", "ctr-names=one").out == first
    assert pod("pod", "ps", "-q", "--filter", "ctr-number=2").out == first
    assert pod("pod", "ps", "-q", "--filter", "status=running").out == ""
    assert pod("pod", "ps", "--sort", "name", "--format", "{{.Name}}").lines == ["first", "second"]
    shown = pod("pod", "ps", "--ctr-names", "--noheading", "--filter", "name=first").out
    assert shown.endswith(f"{first[:12]}-infra,one") or shown.endswith(f"one,{first[:12]}-infra")
    assert row(pod, "first")["Labels"] == {"kind": "a"}
    assert {it["Names"] for it in row(pod, "first")["Containers"]} == {f"{first[:12]}-infra", "one"}  # type: ignore[attr-defined]
    assert pod("pod", "ps", "--filter", "colour=red", status=125).stderr.startswith("Error:")
    pod("pod", "rm", "second")


def test_inspect_of_pods_and_of_their_containers(pod: Engine) -> None:
    number = make(pod, "shop", "--exit-policy", "stop", "--hostname", "counter")
    pod("create", "--pod", "shop", "--name", "one", *SLEEP)
    found = inspected(pod, "shop")
    assert (found["Id"], found["State"], found["ExitPolicy"]) == (number, "Created", "stop")
    assert sorted(found["SharedNamespaces"]) == ["ipc", "net", "uts"]  # type: ignore[call-overload]
    assert found["NumContainers"] == 2 and found["CreateInfra"] is True
    infra = str(found["InfraContainerID"])
    one = pod("inspect", "one").json()[0]
    assert (one["Pod"], one["IsInfra"], one["Dependencies"]) == (number, False, [infra])
    host = one["HostConfig"]
    assert host["IpcMode"] == host["NetworkMode"] == host["UTSMode"] == f"container:{infra}"
    shown = pod("inspect", infra).json()[0]
    assert shown["IsInfra"] is True and shown["Args"] == ["-P"]
    assert shown["Config"]["Hostname"] == "counter"
    line = pod("ps", "-a", "--pod", "--no-trunc", "--filter", "name=one").lines[1]
    assert line.split()[-2:] == [number, "shop"]


def test_generic_inspect_finds_pods(pod: Engine) -> None:
    number = make(pod, "shop")
    assert pod("inspect", "--type", "pod", "--format", "{{.Id}}", "shop").out == number


def test_share_says_which_namespaces(pod: Engine) -> None:
    make(pod, "some", "--share", "net")
    pod("pod", "create", "--name", "none", "--share", "none")
    pod("create", "--pod", "some", "--name", "one", *SLEEP)
    host = pod("inspect", "one").json()[0]["HostConfig"]
    assert host["NetworkMode"].startswith("container:") and host["UTSMode"] == "private"
    assert inspected(pod, "none")["CreateInfra"] is False
    assert pod("pod", "create", "--share", "colour", status=125).stderr
    pod("pod", "rm", "none")
    make(pod, "pids", "--share", "pid")
    pod("run", "-d", "--pod", "pids", "--network", "none", "--name", "two", *SLEEP)
    seen = pod("exec", "two", "ps").stdout
    assert "catatonit" in seen and "sleep" in seen


CONFLICTS = [
    (("--publish", "81:81"), "publish"),
    (("--add-host", "a:1.2.3.4"), "add-host"),
    (("--hostname", "x"), "hostname"),
    (("--userns", "keep-id"), "userns"),
]


@pytest.mark.parametrize(("words", "named"), CONFLICTS, ids=[named for _, named in CONFLICTS])
def test_what_the_pod_decides_is_refused(pod: Engine, words: tuple[str, ...], named: str) -> None:
    make(pod, "shop")
    refused = pod("create", "--pod", "shop", *words, *SLEEP, status=125)
    assert pod.kind == "podman" or (f"--{named}" in refused.stderr and "--pod" in refused.stderr)


def test_a_namespace_of_its_own_is_not_shared(pod: Engine) -> None:
    make(pod, "shop")
    pod("create", "--pod", "shop", "--name", "one", "--network", "none", "--uts", "private",
        "--hostname", "own", *SLEEP)  # fmt: skip
    host = pod("inspect", "one").json()[0]["HostConfig"]
    assert host["NetworkMode"] == "none" and host["IpcMode"].startswith("container:")


def test_a_pod_that_is_made_for_a_container(pod: Engine) -> None:
    pod("run", "-d", "--pod", "new:shop", "--network", "none", "--name", "one", *SLEEP)
    assert row(pod, "shop")["Status"] == "Running"
    if pod.kind == "pod":
        refused = pod("create", "--pod", "new:shop", *SLEEP, status=125)
        assert "shop" in refused.stderr


def test_files_with_ids(pod: Engine, tmp_path: object) -> None:
    path = os.path.join(str(tmp_path), "id")
    number = make(pod, "shop", "--pod-id-file", path)
    with open(path, encoding="utf-8") as file:
        assert file.read().strip() == number
    pod("create", "--pod-id-file", path, "--name", "one", *SLEEP)
    assert pod("inspect", "--format", "{{.Pod}}", "one").out == number
    assert pod("pod", "rm", "--pod-id-file", path).out == number


def test_replace(pod: Engine) -> None:
    first = make(pod, "shop")
    pod("run", "-d", "--pod", "shop", "--stop-timeout", "0", *SLEEP)
    assert pod("pod", "create", "--name", "shop", status=125).stderr
    assert make(pod, "shop", "--replace") != first
    assert pod("ps", "-a", "--format", "{{.Names}}").lines != []


def test_volumes_of_the_pod_are_those_of_its_containers(pod: Engine) -> None:
    make(pod, "shop", "--volume", "goods:/goods")
    pod("run", "--rm", "--pod", "shop", "busybox", "touch", "/goods/one")
    assert pod("run", "--rm", "--pod", "shop", "busybox", "ls", "/goods").out == "one"
    assert "goods" in pod("volume", "rm", "goods", status=2).stderr


def test_messages_and_shared_memory(pod: Engine) -> None:
    make(pod, "shop")
    pod("run", "-d", "--pod", "shop", "--name", "one", "busybox", "sh", "-c",
        "echo here >/dev/shm/file; sleep 1000")  # fmt: skip
    read = "until [ -s /dev/shm/file ]; do sleep 0.05; done; cat /dev/shm/file"
    assert pod("run", "--rm", "--pod", "shop", "busybox", "sh", "-c", read).out == "here"


@pytest.mark.not_podman("podman 4.3 adds names only where the pod is connected")
def test_names_in_etc_hosts(pod: Engine) -> None:
    make(pod, "shop")
    pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
    hosts = pod("run", "--rm", "--pod", "shop", "--name", "two", "busybox", "cat", "/etc/hosts")
    assert [line for line in hosts.lines if line.split()[1:] == ["one"]]
    assert [line for line in hosts.lines if line.split()[1:] == ["two"]]
    later = pod("exec", "one", "cat", "/etc/hosts").lines
    assert not [line for line in later if line.split()[1:] == ["two"]]


def test_logs_top_and_stats(pod: Engine) -> None:
    make(pod, "shop")
    pod("run", "--pod", "shop", "--name", "one", "busybox", "echo", "from one")
    pod("run", "--pod", "shop", "--name", "two", "busybox", "echo", "from two")
    pod("run", "-d", "--pod", "shop", "--name", "three", *SLEEP)
    logs = pod("pod", "logs", "--names", "shop").stdout
    assert "one from one" in logs and "two from two" in logs
    assert pod("pod", "logs", "-c", "one", "shop").stdout.endswith("from one\n")
    assert "sleep 1000" in pod("pod", "top", "shop").stdout
    stats = pod("pod", "stats", "--no-stream", "--format", "json", "shop").json()
    assert "three" in {it["Name"] for it in stats}


def test_pause_kill_and_prune(pod: Engine) -> None:
    number = make(pod, "shop")
    pod("run", "-d", "--pod", "shop", *SLEEP)
    if pod.kind == "pod":  # which needs no cgroup for it
        assert pod("pod", "pause", "shop").out == number
        assert row(pod, "shop")["Status"] == "Paused"
        assert pod("pod", "unpause", "shop").out == number
    assert row(pod, "shop")["Status"] == "Running"
    assert pod("pod", "prune", "-f").out == ""
    assert pod("pod", "kill", "shop").out == number
    pod("pod", "stop", "-t", "0", "shop")  # waits until that is recorded
    assert pod("pod", "prune", "-f").out == number
    assert pod("pod", "exists", "shop", status=1)


@pytest.mark.not_podman("podman 4.3 gives the clone other names")
def test_clone(pod: Engine) -> None:
    make(pod, "shop", "--hostname", "counter", "--label", "a=b")
    pod(
        "run",
        "-d",
        "--pod",
        "shop",
        "--name",
        "one",
        "-e",
        "KEY=value",
        "--stop-timeout",
        "0",
        *SLEEP,
    )
    pod("pod", "clone", "--start", "--label", "c=d", "shop")
    assert row(pod, "shop-clone")["Labels"] == {"a": "b", "c": "d"}
    assert row(pod, "shop-clone")["Status"] == "Running"
    assert pod("exec", "one-clone", "sh", "-c", "echo $KEY; hostname").lines == ["value", "counter"]
    pod("pod", "clone", "--destroy", "shop", "other")
    assert pod("pod", "exists", "shop", status=1)
    assert row(pod, "other")["Status"] == "Created"


def test_events(pod: Engine) -> None:
    make(pod, "shop")
    pod("run", "-d", "--pod", "shop", "--name", "one", "--stop-timeout", "0", *SLEEP)
    pod("pod", "stop", "shop")
    pod("pod", "start", "shop")
    pod("pod", "rm", "-f", "-t", "0", "shop")
    words = ("events", "--stream=false", "--since", "5m", "--filter", "type=pod")
    seen = pod(*words, "--format", "{{.Status}} {{.Name}}").lines
    wanted = ["create shop", "stop shop", "start shop", "remove shop"]
    assert [line for line in seen if line in wanted][-4:] == wanted


def test_clone_of_a_container_in_a_pod(pod: Engine) -> None:
    make(pod, "shop")
    pod("create", "--name", "ports", "-p", "127.0.0.1:18099:80", *SLEEP)
    assert "port" in pod("container", "clone", "--pod", "shop", "ports", status=125).stderr
    pod("create", "--name", "one", *SLEEP)
    pod("container", "clone", "--pod", "shop", "--run", "one", "two")
    assert pod("exec", "two", "hostname").out == "shop"


def test_an_image_for_the_infra_container(pod: Engine) -> None:
    pod.have("busybox")
    words = ("--infra-image", "busybox", "--infra-command", "sleep 1000", "--infra-name", "holder")
    make(pod, "shop", *words)
    pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
    assert "sleep 1000" in pod("top", "holder", "args").stdout
    assert pod("exec", "one", "hostname").out == "shop"
