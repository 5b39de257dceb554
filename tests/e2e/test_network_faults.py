"""What goes wrong around networks: killed processes, services that end, commands at once, and what is left of it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from pod.linux.interfaces import outgoing_address
from tests.support import keeper
from tests.support.engine import Engine
from tests.support.keeper import Process
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("it has no holder")

SLEEP = ("busybox", "sleep", "1000")


@pytest.fixture
def back(pod: Engine) -> Iterator[str]:
    """A network, which goes with all that is on it; its name."""
    pod("network", "create", "back")
    yield "back"
    pod("rm", "-f", "-a", "-t", "0")
    pod("network", "rm", "back")


def holder() -> Process:
    """The process that holds the networks."""
    (found,) = [it for it in keeper.descendants() if it.command()[:1] == ["pod networks"]]
    return found


def outside() -> Process:
    """The program that connects the networks with the world."""
    names = ("slirp4netns", "pasta", "pasta.avx2")
    found = [
        it for it in keeper.descendants() if os.path.basename("".join(it.command()[:1])) in names
    ]
    (one,) = [it for it in found if "out0" in it.command()]
    return one


def group(process: Process) -> str:
    """The directory of a process's cgroup."""
    with open(f"/proc/{process.pid}/cgroup", encoding="utf-8") as file:
        return "/sys/fs/cgroup" + file.read().rpartition("0::")[2].rstrip("\n")


def web(pod: Engine, name: str, *options: str) -> None:
    """A container that serves its name."""
    script = f"mkdir -p /tmp/www; echo {name} > /tmp/www/index.html; exec httpd -f -h /tmp/www"
    pod("run", "-d", "--name", name, *options, "busybox", "sh", "-c", script)


def fetch(pod: Engine, asker: str, name: str) -> str:
    """What a container that runs gets from a web server; it asks until the server is there."""
    script = f"for i in $(seq 300); do wget -q -O - http://{name}/ && exit; sleep 0.1; done; exit 9"
    return pod("exec", asker, "sh", "-c", script).out


def test_the_holder_is_in_a_group_of_its_own(pod: Engine, back: str) -> None:
    """So it outlives the service, say, in which the first container was started."""
    service = f"{os.path.dirname(group(Process(os.getpid(), 0)))}/service-{os.getpid()}"
    os.mkdir(service)
    try:
        enter = 'echo 0 > "$0/cgroup.procs"; exec "$@"'
        command = pod.full_command("run", "-d", "--name", "first", "--network", back, *SLEEP)
        subprocess.run(
            ["sh", "-c", enter, service, *command],
            env=pod.environment, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        pod("run", "-d", "--name", "second", "--network", back, *SLEEP)
        web(pod, "third", "--network", back)
        one, other = holder(), outside()
        until(lambda: "/networks-" in group(one) and group(other) == group(one), "moved")
        directory = group(one)
        with open(f"{service}/cgroup.kill", "w") as file:
            file.write("1")
        pod("rm", "-f", "-t", "0", "first")
        assert one.is_alive() and other.is_alive()
        assert fetch(pod, "second", "third") == "third"
    finally:
        until(lambda: _removed(service), "removed")
    pod("rm", "-f", "-a", "-t", "0")
    assert keeper.wait_for_end([one], 30) == []
    until(lambda: not os.path.exists(directory), "removed")


def _removed(directory: str) -> bool:
    try:
        os.rmdir(directory)
    except OSError:
        return False
    return True


def test_the_group_of_a_killed_holder_goes(pod: Engine, back: str) -> None:
    pod("run", "-d", "--name", "first", "--network", back, *SLEEP)
    one = holder()
    until(lambda: "/networks-" in group(one), "moved")
    directory = group(one)
    one.kill()
    keeper.wait_for_end([one], 30)
    assert "pod network reload -a" in pod("ps").stderr
    assert not os.path.exists(directory)


def test_another_outside_helper_is_started_for_one_that_was_killed(pod: Engine, back: str) -> None:
    web(pod, "first", "--network", back)
    pod("run", "-d", "--name", "second", "--network", back, *SLEEP)
    killed = outside()
    killed.kill()
    keeper.wait_for_end([killed], 30)
    told = until(lambda: pod("ps").stderr, "told")
    assert "the program that connects networks with the world was killed" in told
    assert "pod network reload -a" in told
    assert fetch(pod, "second", "first") == "first"
    pod("network", "reload", "second")
    assert pod("ps").stderr == ""
    assert outside() != killed
    with closing(socket.create_server((host_address(), 0))) as server:
        pod("exec", "-d", "first", "nc", host_address(), str(server.getsockname()[1]))
        server.settimeout(30)
        server.accept()[0].close()


def host_address() -> str:
    """An address of this machine that is not loopback."""
    address = outgoing_address()
    assert address is not None, "this machine has no address that others could reach"
    return address


def test_containers_before_and_after_a_killed_holder_find_each_other(
    pod: Engine, back: str
) -> None:
    """The next holder goes on in the user namespace of the killed one, though another container starts it."""
    web(pod, "before", "--network", back)
    one = holder()
    one.kill()
    keeper.wait_for_end([one], 30)
    pod("run", "-d", "--name", "after", "--network", back, *SLEEP)
    pod("network", "reload", "before")
    assert fetch(pod, "after", "before") == "before"


def test_several_commands_make_the_same_network(pod: Engine) -> None:
    makers = [pod.spawn("network", "create", "same") for _ in range(4)]
    ends = [(maker.communicate(timeout=60), maker.returncode) for maker in makers]
    assert sorted(status for _, status in ends) == [0, 125, 125, 125]
    for (out, err), status in ends:
        assert (out == b"same\n") == (status == 0)
        assert status == 0 or b"there is a network 'same' already" in err
    again = [pod.spawn("network", "create", "--ignore", "same") for _ in range(3)]
    assert [(it.communicate(timeout=60)[0], it.returncode) for it in again] == [(b"same\n", 0)] * 3
    assert pod("network", "ls", "-q", "--filter", "name=same").out == "same"
    pod("network", "rm", "same")


def test_a_killed_container_leaves_its_address_to_others(pod: Engine) -> None:
    """Of its cable and its lease nothing is left, whoever ended it."""
    pod("network", "create", "--subnet", "10.77.9.0/30", "narrow")
    pod("run", "-d", "--name", "first", "--network", "narrow", "--ip", "10.77.9.2", *SLEEP)
    monitor = Process(*monitor_of(pod, "first"))
    monitor.kill()
    keeper.wait_for_end([monitor], 30)
    pod("rm", "-f", "-t", "0", "first")
    web(pod, "second", "--network", "narrow", "--ip", "10.77.9.2")
    assert fetch(pod, "second", "10.77.9.2") == "second"
    users = pod("network", "inspect", "narrow").json()[0]["containers"]
    assert [it["name"] for it in users.values()] == ["second"]
    assert "second" in pod("network", "rm", "narrow", status=2).stderr
    pod("network", "rm", "-f", "-t", "0", "narrow")
    assert pod("ps", "-a", "-q").out == ""


def monitor_of(pod: Engine, name: str) -> tuple[int, int]:
    """The pid and start time of a container's monitor."""
    pid = int(pod("inspect", "-f", "{{.State.ConmonPid}}", name).out)
    (found,) = [it for it in keeper.descendants() if it.pid == pid]
    return found.pid, found.started


def test_the_host_has_its_names_on_networks(pod: Engine, back: str) -> None:
    with closing(socket.create_server((host_address(), 0))) as server:
        server.settimeout(30)
        port = str(server.getsockname()[1])
        options = ("--network", back, "--add-host", "gate:host-gateway")
        pod("run", "-d", "--name", "first", *options, *SLEEP)
        for name in ("host.containers.internal", "host.docker.internal", "gate"):
            pod("exec", "-d", "first", "nc", name, port)
            server.accept()[0].close()


def test_names_that_are_too_long_or_of_other_letters(pod: Engine, back: str) -> None:
    """RFC 1035 has 63 bytes for a label; containers may have longer names, and are found by their ids then."""
    number = pod("run", "-d", "--name", "x" * 64, "--network", back, *SLEEP).out
    pod("run", "-d", "--name", "y" * 63, "--network", back, *SLEEP)
    asker = ("exec", "y" * 63, "nslookup")
    address = pod("exec", "x" * 64, "hostname", "-i").out.split()[0]
    assert address in pod(*asker, number[:12]).out
    assert pod(*asker, "y" * 63).status == 0
    assert pod(*asker, "x" * 64, status=None).status != 0
    assert f"{number[:12]}.dns.podman" in pod(*asker, address).out
    for words in (["--name", "größe"], ["--network", "größe"]):
        assert "größe" in pod("create", *words, "busybox", status=125).stderr
    assert "größe" in pod("network", "create", "größe", status=125).stderr
    assert "z" * 64 in pod("network", "create", "z" * 64, status=125).stderr
