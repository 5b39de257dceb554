"""Pods on networks of the caller's own: one address for all of a pod's containers, found by the names of each."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support import keeper
from tests.support.engine import Engine
from tests.support.waiting import free_port, until_http

OWN_NAMES = pytest.mark.not_podman("Debian's podman has no server for names")
SLEEP = ("busybox", "sleep", "1000")
SUBNET = "10.77.8.0/24"


@pytest.fixture
def back(pod: Engine) -> Iterator[str]:
    """A network, which goes with all that is on it; its name."""
    pod("network", "create", "--subnet", SUBNET, "back")
    yield "back"
    pod("pod", "rm", "-f", "-a", "-t", "0")
    pod("rm", "-f", "-a", "-t", "0")
    pod("network", "rm", "back")


def web(pod: Engine, where: str, *options: str) -> None:
    """A container "web" in a pod, which serves its name."""
    script = "mkdir /tmp/www; echo web > /tmp/www/index.html; exec httpd -f -h /tmp/www"
    words = ("busybox", "sh", "-c", script)
    pod("run", "-d", "--pod", where, "--name", "web", "--tmpfs", "/tmp", *options, *words)


def fetch(pod: Engine, name: str, asker: str = "asker") -> str:
    """What a running container gets from a web server; it asks until the server is there."""
    script = f"for i in $(seq 300); do wget -q -O - http://{name}/ && exit; sleep 0.1; done; exit 9"
    return pod("exec", asker, "sh", "-c", script).out


def found(pod: Engine, name: str, asker: str = "asker") -> bool:
    """Whether a running container finds a name."""
    return pod("exec", asker, "nslookup", name, status=None).status == 0


@OWN_NAMES
def test_a_pod_is_found_by_all_its_names(pod: Engine, back: str) -> None:
    options = (
        "--ip",
        "10.77.8.40",
        "--mac-address",
        "92:00:00:00:00:07",
        "--network-alias",
        "front",
    )
    number = pod(
        "pod", "create", "--name", "shop", "--network", f"{back}:alias=store", *options
    ).out
    web(pod, "shop")
    infra = pod("pod", "inspect", "-f", "{{.InfraContainerID}}", "shop").out
    pod("run", "-d", "--name", "asker", "--network", back, *SLEEP)
    names = ("shop", "web", "front", "store", f"{number[:12]}-infra", infra[:12], "web.dns.podman")
    for name in names:
        assert "10.77.8.40" in pod("exec", "asker", "nslookup", name).out, name
    assert fetch(pod, "web") == "web"
    assert "92:00:00:00:00:07" in pod("exec", "web", "ip", "link", "show", "eth0").out
    assert "shop.dns.podman" in pod("exec", "asker", "nslookup", "10.77.8.40").out
    assert found(pod, "asker", asker="web")


@OWN_NAMES
def test_names_of_a_running_pod_follow_its_containers(pod: Engine, back: str) -> None:
    pod("run", "-d", "--name", "asker", "--network", back, *SLEEP)
    pod("run", "-d", "--pod", "new:shop", "--network", back, "--name", "one", *SLEEP)
    assert found(pod, "one") and not found(pod, "two")
    pod("run", "-d", "--pod", "shop", "--name", "two", *SLEEP)
    assert found(pod, "two")
    pod("rename", "two", "three")
    assert found(pod, "three") and not found(pod, "two")
    pod("rm", "-f", "-t", "0", "three")
    assert not found(pod, "three")
    pod("pod", "stop", "-t", "0", "shop")
    assert not found(pod, "shop") and not found(pod, "one")


def test_a_published_port_of_a_pod_outlives_its_ends(pod: Engine, back: str) -> None:
    port = free_port()
    publish = ("-p", f"127.0.0.1:{port}:80")
    pod("pod", "create", "--name", "shop", "--network", back, "--ip", "10.77.8.41", *publish)
    web(pod, "shop")
    assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    pod("pod", "restart", "shop")
    assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    pod("pod", "stop", "-t", "0", "shop")
    pod("pod", "start", "shop")
    assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    assert "10.77.8.41" in pod("exec", "web", "ip", "address", "show", "eth0").out


@pytest.mark.not_podman("it has no holder")
def test_a_pod_is_reloaded_after_its_holder_was_killed(pod: Engine, back: str) -> None:
    port = free_port()
    pod("pod", "create", "--name", "shop", "--network", back, "-p", f"127.0.0.1:{port}:80")
    web(pod, "shop")
    pod("run", "-d", "--name", "asker", "--network", back, *SLEEP)
    (holder,) = [it for it in keeper.descendants() if it.command()[:1] == ["pod networks"]]
    os.kill(holder.pid, signal.SIGKILL)
    keeper.wait_for_end([holder], 30)
    assert "pod network reload -a" in pod("ps").stderr
    pod("network", "reload", "-a")
    assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    assert fetch(pod, "shop") == fetch(pod, "web") == "web"


@OWN_NAMES
def test_a_clone_of_a_pod_is_on_its_networks(pod: Engine, back: str) -> None:
    pod("pod", "create", "--name", "shop", "--network", f"{back}:alias=store", "--ip", "10.77.8.42")
    web(pod, "shop")
    pod("pod", "clone", "--start", "shop", "second")
    pod("run", "-d", "--name", "asker", "--network", back, *SLEEP)
    assert fetch(pod, "second") == fetch(pod, "web-clone") == "web"
    both = pod("exec", "asker", "nslookup", "store").out
    assert "10.77.8.42" in both and both.count("10.77.8.") > 2


@pytest.mark.not_podman("it refuses that")
def test_a_container_of_a_pod_on_a_network_of_its_own(pod: Engine, back: str) -> None:
    pod("pod", "create", "--name", "shop", "--network", back)
    pod("run", "-d", "--pod", "shop", "--name", "inside", *SLEEP)
    pod("run", "-d", "--pod", "shop", "--network", f"{back}:ip=10.77.8.50", "--name", "own", *SLEEP)
    assert "10.77.8.50" in pod("exec", "inside", "nslookup", "own").out
    assert "10.77.8.50" in pod("exec", "own", "ip", "address", "show", "eth0").out


def test_lists_and_inspection_of_a_pod_on_networks(pod: Engine, back: str) -> None:
    pod("pod", "create", "--name", "shop", "--network", back, "--ip", "10.77.8.43")
    pod("pod", "create", "--name", "alone", "--network", "none")
    shown = pod("pod", "ps", "--filter", f"network={back}", "--format", "{{.Name}} {{.Networks}}")
    assert shown.out == "shop back"
    document = pod("pod", "inspect", "shop").json()
    document = document[0] if isinstance(document, list) else document
    assert document["InfraConfig"]["Networks"] == ["back"]
    failed = pod("network", "rm", back, status=2).stderr
    assert "back" in failed
    pod("network", "rm", "-f", "-t", "0", back)
    assert pod("pod", "ps", "--format", "{{.Name}}").out == "alone"
    pod("network", "create", "--subnet", SUBNET, back)


@pytest.mark.not_podman("it says it in other words")
def test_options_of_a_pod_that_need_a_network(pod: Engine, back: str) -> None:
    failed = pod("pod", "create", "--ip", "10.77.8.44", status=125).stderr
    assert "--ip needs a network made by 'pod network create'" in failed
    failed = pod("pod", "create", "--network", back, "--ip", "10.77.9.44", status=125).stderr
    assert "10.77.9.44 is not on network 'back'" in failed
    failed = pod("pod", "create", "--network", "nowhere", status=125).stderr
    assert "nowhere" in failed
    assert pod("pod", "ps", "-q").out == pod("ps", "-a", "-q").out == ""
    pod("pod", "create", "--name", "shop", "--network", "none")
    failed = pod("run", "--pod", "shop", "--network", back, "busybox", status=125).stderr
    assert "is on no network made by 'pod network create'" in failed


@pytest.mark.not_podman("crun wants to join the namespace of the machine, which is refused")
def test_the_network_of_the_host_is_that_of_all(pod: Engine) -> None:
    own = os.readlink("/proc/self/ns/net")
    look = ("busybox", "readlink", "/proc/self/ns/net")
    pod("pod", "create", "--name", "shop", "--network", "host")
    try:
        assert pod("run", "--rm", "--pod", "shop", *look).out == own
    finally:
        pod("pod", "rm", "-f", "-t", "0", "shop")
    pod("run", "-d", "--name", "one", "--network", "host", "--ipc", "host", *SLEEP)
    shared = ("--network", "container:one", "--ipc", "container:one")
    assert pod("run", "--rm", *shared, *look).out == own
    assert pod("exec", "one", "readlink", "/proc/self/ns/net").out == own
