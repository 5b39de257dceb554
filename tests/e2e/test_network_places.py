"""What a container gets of its networks: addresses, interfaces, routes; and whom it reaches there, and whom not."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from pod.linux.interfaces import outgoing_address
from tests.support.engine import Engine
from tests.support.waiting import free_port, until

OWN_NAMES = pytest.mark.not_podman("Debian's podman has no server for names")
FETCH = "for i in $(seq 300); do wget -q -O - http://{}/ && exit; sleep 0.1; done; exit 9"
SILENCE = "! timeout 2 wget -q -O - http://{}/ 2>/dev/null"
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"


@pytest.fixture
def networks(pod: Engine) -> Iterator[Engine]:
    """The engine; networks that a test makes go with all that is on them."""
    yield pod
    pod("rm", "-f", "-a", "-t", "0")
    pod("network", "prune", "-f")


def web(pod: Engine, name: str, *options: str) -> str:
    """A container that serves its name; its address."""
    script = f"mkdir -p /tmp/www; echo {name} > /tmp/www/index.html; exec httpd -f -h /tmp/www"
    pod("run", "-d", "--name", name, *options, "busybox", "sh", "-c", script)
    return pod("inspect", "-f", ADDRESS, name).out.split()[0]


def reaches(pod: Engine, asker: str, where: str) -> bool:
    """Whether a running container gets an answer from a web server that is there."""
    return pod("exec", asker, "sh", "-c", FETCH.format(where)).out != ""


def test_a_place_is_as_it_was_asked_for(networks: Engine) -> None:
    pod = networks
    pod("network", "create", "--subnet", "10.77.1.0/24", "--opt", "mtu=1400", "back")
    place = "back:ip=10.77.1.9,mac=92:d0:c6:0a:29:33,interface_name=net7"
    said = pod("run", "--rm", "--network", place, "busybox", "ip", "addr").out
    assert re.search(r"\d: net7@\S+ <[^>]*\bUP\b[^>]*> mtu 1400 ", said)
    assert "link/ether 92:d0:c6:0a:29:33" in said
    assert "inet 10.77.1.9/24 " in said
    options = ("--ip", "10.77.1.10", "--mac-address", "92:d0:c6:0a:29:34")
    said = pod("run", "--rm", "--network", "back", *options, "busybox", "ip", "addr").out
    assert re.search(r"\d: eth0@", said)
    assert "inet 10.77.1.10/24 " in said and "link/ether 92:d0:c6:0a:29:34" in said


def test_an_address_of_the_other_family_is_as_it_was_asked_for(networks: Engine) -> None:
    pod = networks
    pod("network", "create", "--subnet", "10.77.1.0/24", "--subnet", "fd77:1::/64", "both")
    show = ("busybox", "ip", "addr")
    said = pod("run", "--rm", "--network", "both:ip6=fd77:1::9", *show).out
    assert "inet6 fd77:1::9/64 " in said and "inet 10.77.1." in said
    options = ("--ip", "10.77.1.7", "--ip6", "fd77:1::7")
    said = pod("run", "--rm", "--network", "both", *options, *show).out
    assert "inet6 fd77:1::7/64 " in said and "inet 10.77.1.7/24 " in said


@pytest.mark.not_podman("every network leads out")
def test_several_networks_and_one_way_out(networks: Engine) -> None:
    """Of both families; the first one that is not internal leads out."""
    pod = networks
    pod("network", "create", "--internal", "--subnet", "10.77.1.0/24", "inner")
    pod("network", "create", "--subnet", "10.77.2.0/24", "--subnet", "fd77:2::/64", "outer")
    pod("network", "create", "--subnet", "10.77.3.0/24", "more")
    given = [word for name in ("inner", "outer", "more") for word in ("--network", name)]
    script = "ip -4 route; ip -6 route; ip link"
    said = pod("run", "--rm", *given, "busybox", "sh", "-c", script).out
    assert re.findall(r"default via (\S+) dev (\S+)", said) == [
        ("10.77.2.1", "eth1"), ("fd77:2::1", "eth1"),
    ]  # fmt: skip
    assert re.findall(r"\d: (eth\d)@\S+ <[^>]*\bUP\b", said) == ["eth0", "eth1", "eth2"]


def test_a_range_gives_the_first_address(networks: Engine) -> None:
    pod = networks
    pod("network", "create", "--subnet", "10.77.1.0/24", "--ip-range", "10.77.1.64/26", "back")
    said = pod("run", "--rm", "--network", "back", "busybox", "ip", "addr").out
    assert re.search(r"inet 10\.77\.1\.6[45]/24 ", said)


@pytest.mark.not_podman("CNI, with which Debian's podman works, lets them talk")
def test_who_reaches_whom(networks: Engine) -> None:
    """Open networks reach each other by address; isolated and internal ones are reached by their own alone."""
    pod = networks
    for name, *options in (
        ("one",),
        ("two",),
        ("alone", "--opt", "isolate=true"),
        ("inner", "--internal"),
    ):
        pod("network", "create", *options, name)
    found = {}
    for name in ("one", "two", "alone", "inner"):
        found[name] = web(pod, f"in-{name}", "--network", name)
        pod("run", "-d", "--name", f"by-{name}", "--network", name, "busybox", "sleep", "1000")
        assert reaches(pod, f"by-{name}", found[name])
    assert reaches(pod, "by-one", found["two"])
    for asker, other in (
        ("one", "alone"), ("alone", "one"), ("one", "inner"), ("inner", "one"), ("inner", "alone"),
    ):  # fmt: skip
        pod("exec", f"by-{asker}", "sh", "-c", SILENCE.format(found[other]))


@OWN_NAMES
def test_a_network_without_names(networks: Engine) -> None:
    pod = networks
    pod("network", "create", "--disable-dns", "--subnet", "10.77.1.0/24", "silent")
    web(pod, "shop", "--network", "silent")
    asked = pod("run", "--rm", "--network", "silent", "busybox", "sh", "-c",
                "cat /etc/resolv.conf; nslookup shop 10.77.1.1 2>&1", status=1)  # fmt: skip
    assert "nameserver 10.77.1.1" not in asked.out
    assert "Address: 10.77.1" not in asked.out.partition("\n\n")[2]


def test_a_port_of_loopback_is_on_no_other_address(networks: Engine) -> None:
    pod = networks
    pod("network", "create", "back")
    port, address = free_port(), outgoing_address()
    web(pod, "shop", "--network", "back", "-p", f"127.0.0.1:{port}:80")

    def answer(host: str) -> int:
        return subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "--noproxy", "*", f"http://{host}:{port}/"],
            check=False,
        ).returncode

    until(lambda: answer("127.0.0.1") == 0, "answered")
    assert answer(str(address)) == 7  # curl(1): failed to connect


@pytest.mark.not_podman("CNI has no bridge before the first start")
def test_addresses_of_containers_made_at_once_differ(networks: Engine) -> None:
    pod = networks
    pod("network", "create", "back")
    commands = [
        pod.spawn("create", "--network", "back", "busybox", stdout=subprocess.PIPE)
        for _ in range(8)
    ]
    for command in commands:
        assert command.wait(60) == 0
    (document,) = json.loads(pod("network", "inspect", "back").stdout)
    found = [
        one["ipnet"]
        for it in document["containers"].values()
        for interface in it["interfaces"].values()
        for one in interface["subnets"]
    ]
    assert len(found) == 8 and len(set(found)) == 8


@pytest.mark.not_podman("other runtimes get a namespace that is ready")
def test_another_runtime_cannot_be_on_a_network(networks: Engine) -> None:
    pod = networks
    pod("network", "create", "back")
    failed = pod(
        "run", "--rm", "--runtime", "crun", "--network", "back", "busybox", "true", status=125
    )
    assert "--runtime crun with a user-defined network" in failed.stderr
    assert "only pod's own runtime makes such containers" in failed.stderr
    assert pod("ps", "-a", "-q").out == ""
