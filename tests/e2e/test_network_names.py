"""Networks of the caller's own: containers on them find and reach each other, the world, and nobody else."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from pod.linux.interfaces import outgoing_address
from tests.support import keeper
from tests.support.engine import Engine
from tests.support.waiting import free_port, until

ONLY_POD = pytest.mark.not_podman("it says it in other words")
OWN_NAMES = pytest.mark.not_podman("Debian's podman has no server for names")


@pytest.fixture
def back(pod: Engine) -> str:
    """A network; its name."""
    return network(pod, "back")


def network(pod: Engine, name: str, *options: str) -> str:
    pod("network", "create", *options, name)
    return name


@pytest.fixture(autouse=True)
def _networks_go(pod: Engine) -> object:
    yield
    pod("rm", "-f", "-a", "-t", "0")
    pod("network", "prune", "-f")
    pod("network", "ls", "-q")


def gateway(pod: Engine, name: str) -> str:
    return str(json.loads(pod("network", "inspect", name).stdout)[0]["subnets"][0]["gateway"])


def web(pod: Engine, name: str, *options: str) -> None:
    """A container that serves its name."""
    script = f"mkdir -p /tmp/www; echo {name} > /tmp/www/index.html; exec httpd -f -h /tmp/www"
    pod("run", "-d", "--name", name, *options, "busybox", "sh", "-c", script)


def fetch(pod: Engine, where: str, *options: str) -> str:
    """What a new container gets from a web server; it asks until the server is there."""
    script = (
        f"for i in $(seq 300); do wget -q -O - http://{where}/ && exit; sleep 0.1; done; exit 9"
    )
    return pod("run", "--rm", *options, "busybox", "sh", "-c", script).out.strip()


def look_up(pod: Engine, name: str, *options: str) -> list[str]:
    """The addresses that a new container finds behind a name."""
    done = pod("run", "--rm", *options, "busybox", "nslookup", name, status=None)
    answer = done.out.partition("\n\n")[2]
    return [line.split()[-1] for line in answer.splitlines() if line.startswith("Address")]


@OWN_NAMES
def test_containers_find_each_other(pod: Engine, back: str) -> None:
    web(pod, "shop", "--network", f"{back}:alias=store", "--network-alias", "front")
    for name in ("shop", "store", "front", "shop.dns.podman", "SHOP", f"shop.{back}"):
        assert fetch(pod, name, "--network", back) == "shop", name


@pytest.mark.not_podman("with CNI, it is not for half a minute")
def test_the_next_container_with_an_address_is_reached_at_once(pod: Engine, back: str) -> None:
    """Those who knew the one before have no time to forget where it was."""
    pod("run", "-d", "--name", "client", "--network", back, "busybox", "sleep", "1000")
    first = ".".join(gateway(pod, back).split(".")[:3])
    script = f"until wget -q -O - http://{first}.77; do sleep 0.1; done"
    for name in ("before", "after"):
        web(pod, name, "--network", back, "--ip", f"{first}.77")
        pod("exec", name, "sh", "-c", "until wget -q -O - http://127.0.0.1; do sleep 0.1; done")
        assert pod("exec", "client", "timeout", "20", "sh", "-c", script).out == name
        pod("rm", "-f", "-t", "0", name)


@OWN_NAMES
def test_a_name_is_known_as_soon_as_its_container_runs(pod: Engine, back: str) -> None:
    pod("run", "-d", "--name", "asker", "--network", back, "busybox", "sleep", "1000")
    assert pod("exec", "asker", "nslookup", "late", status=None).status != 0
    pod("run", "-d", "--name", "late", "--network", back, "busybox", "sleep", "1000")
    pod("exec", "asker", "nslookup", "late")
    pod("rm", "-f", "-t", "0", "late")
    assert pod("exec", "asker", "nslookup", "late", status=None).status != 0


@OWN_NAMES
def test_names_are_looked_for_in_the_domain_first(pod: Engine, back: str) -> None:
    """Otherwise the host's domains would be asked before, and a name there could hide that of a container."""
    show = ("busybox", "cat", "/etc/resolv.conf")
    first, second = pod("run", "--rm", "--network", back, *show).lines[:2]
    assert first.split()[:2] == ["search", "dns.podman"]
    assert second == f"nameserver {gateway(pod, back)}"
    chosen = pod("run", "--rm", "--network", back, "--dns-search", "a.test", *show).lines
    assert chosen[0] == "search a.test"


@OWN_NAMES
def test_a_new_name_is_known_at_once(pod: Engine, back: str) -> None:
    pod("run", "-d", "--name", "one", "--network", back, "busybox", "sleep", "1000")
    pod("rename", "one", "two")
    assert look_up(pod, "two", "--network", back)
    assert look_up(pod, "one", "--network", back) == []


@OWN_NAMES
def test_other_networks_are_not_seen(pod: Engine, back: str) -> None:
    other = network(pod, "other")
    web(pod, "shop", "--network", back)
    assert look_up(pod, "shop", "--network", back)
    assert look_up(pod, "shop", "--network", other) == []
    assert look_up(pod, "shop", "--network", other, "--network", back)


@OWN_NAMES
def test_an_address_has_a_name(pod: Engine, back: str) -> None:
    pod("run", "-d", "--name", "shop", "--network", back, "busybox", "sleep", "1000")
    address = pod(
        "inspect", "-f", f"{{{{.NetworkSettings.Networks.{back}.IPAddress}}}}", "shop"
    ).out
    done = pod("run", "--rm", "--network", back, "busybox", "nslookup", address.strip())
    assert "shop.dns.podman" in done.out


@OWN_NAMES
def test_two_families(pod: Engine) -> None:
    both = network(pod, "both", "--ipv6")
    web(pod, "shop", "--network", both)
    found = look_up(pod, "shop", "--network", both)
    assert sorted(":" in address for address in found) == [False, True]
    six = next(address for address in found if ":" in address)
    assert fetch(pod, f"[{six}]", "--network", both) == "shop"


def test_internal_networks_have_no_way_out(pod: Engine) -> None:
    inner = network(pod, "inner", "--internal")
    routes = pod("run", "--rm", "--network", inner, "busybox", "ip", "route").out
    assert "default" not in routes


def test_the_host_is_reached(pod: Engine, back: str) -> None:
    """By its own address, through the outside helper."""
    address = outgoing_address()
    assert address is not None, "this machine has no address that others could reach"
    with closing(socket.create_server((address, 0))) as server:
        port = server.getsockname()[1]

        def greet() -> None:
            client, _ = server.accept()
            client.sendall(b"hello\n")
            client.close()

        threading.Thread(target=greet, daemon=True).start()
        command = ("sh", "-c", f"sleep 5 | nc {address} {port}")
        done = pod("run", "--rm", "--network", back, "busybox", *command)
    assert done.out == "hello"


def test_an_address_is_kept(pod: Engine) -> None:
    shop = network(pod, "shopnet", "--subnet", "10.77.3.0/24")
    pod("create", "--name", "one", "--network", shop, "busybox", "sleep", "1000")
    pod(
        "run",
        "-d",
        "--name",
        "two",
        "--network",
        shop,
        "--ip",
        "10.77.3.77",
        "busybox",
        "sleep",
        "1000",
    )
    pod("start", "one")
    assert _address(pod, "two", shop) == "10.77.3.77"
    first = _address(pod, "one", shop)
    pod("restart", "-t", "0", "one")
    assert _address(pod, "one", shop) == first
    failed = pod("run", "--network", shop, "--ip", "10.77.3.77", "busybox", "true", status=125)
    assert "10.77.3.77" in failed.stderr


def _address(pod: Engine, name: str, network: str) -> str:
    document = json.loads(pod("inspect", name).stdout)[0]
    return str(document["NetworkSettings"]["Networks"][network]["IPAddress"])


@ONLY_POD
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.77.4.9", "is not on network 'small' (10.77.3.0/29)"),
        ("10.77.3.1", "is not for containers"),
        ("10.77.3.7", "is not for containers"),
        ("10.77.3", "is not an IP address"),
    ],
)
def test_addresses_that_cannot_be_had(pod: Engine, address: str, why: str) -> None:
    small = network(pod, "small", "--subnet", "10.77.3.0/29")
    failed = pod("create", "--network", small, "--ip", address, "busybox", status=125)
    assert address in failed.stderr
    assert why in failed.stderr


@ONLY_POD
def test_a_subnet_that_is_full(pod: Engine) -> None:
    small = network(pod, "small", "--subnet", "10.77.3.0/30")
    pod("create", "--network", small, "busybox")
    failed = pod("create", "--network", small, "busybox", status=125)
    assert "network 'small' has no address left" in failed.stderr


# The interpreter is the host's, found under /usr.
PYTHON = ("-v", "/usr:/usr:ro", "-v", "/usr/lib:/lib:ro", "-v", "/usr/lib64:/lib64:ro")
TELL_CLIENT = """
import socket
server = socket.create_server(("0.0.0.0", 80))
while True:
    client, address = server.accept()
    client.sendall(address[0].encode())
    client.close()
"""
TELL_CLIENT_UDP = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 7))
while True:
    data, address = server.recvfrom(9000)
    server.sendto(address[0].encode(), address)
"""


@OWN_NAMES
def test_published_ports_show_the_client(pod: Engine, back: str) -> None:
    port = free_port()
    pod(
        "run", "-d", "--name", "web", "--network", back, "-p", f"{port}:80", *PYTHON,
        "busybox", "/usr/bin/python3", "-c", TELL_CLIENT,
    )  # fmt: skip
    address = outgoing_address()
    assert address is not None

    def seen(where: str) -> str | None:
        try:
            with socket.create_connection((where, port), timeout=5) as client:
                return client.recv(100).decode()
        except OSError:
            return None

    assert until(lambda: seen(address), "answered") == address
    assert seen("127.0.0.1") == gateway(pod, back)  # such an address may not travel
    assert pod("port", "web").out == f"80/tcp -> 0.0.0.0:{port}"


def test_ports_and_restarts(pod: Engine, back: str) -> None:
    port = free_port()
    web(pod, "web", "--network", back, "-p", f"127.0.0.1:{port}:80")

    def answer() -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as reply:
                return str(reply.read().decode().strip())
        except OSError:
            return None

    assert until(answer, "answered") == "web"
    pod("restart", "-t", "0", "web")
    assert until(answer, "answered") == "web"


def answer_at(address: str, port: int) -> str:
    """What a web server says; "" when nobody is there."""
    host = f"[{address}]" if ":" in address else address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=5) as reply:
            return str(reply.read().decode().strip())
    except OSError:
        return ""


def test_ports_follow_the_networks(pod: Engine, back: str) -> None:
    """A port leads to the network that is left when the first one is taken away, and to one that comes."""
    other = network(pod, "other")
    port = free_port()
    web(pod, "web", "--network", back, "-p", f"127.0.0.1:{port}:80")
    assert until(lambda: answer_at("127.0.0.1", port), "answered") == "web"
    pod("network", "connect", other, "web")
    pod("network", "disconnect", back, "web")
    assert until(lambda: answer_at("127.0.0.1", port), "answered") == "web"
    pod("network", "connect", back, "web")
    pod("network", "disconnect", other, "web")
    assert until(lambda: answer_at("127.0.0.1", port), "answered") == "web"


@OWN_NAMES
def test_a_range_of_ports(pod: Engine, back: str) -> None:
    first = free_port()  # and the next ones
    script = "for it in 81 82 83; do mkdir /$it; echo $it > /$it/index.html; httpd -p $it -h /$it; done; sleep 1000"
    ports = f"127.0.0.1:{first}-{first + 2}:81-83"
    pod("run", "-d", "--network", back, "-p", ports, "busybox", "sh", "-c", script)
    for number in range(3):
        found = until(lambda it=number: answer_at("127.0.0.1", first + it), "answered")  # type: ignore[misc]
        assert found == str(81 + number)


def test_a_port_on_an_address_of_ipv6(pod: Engine, back: str) -> None:
    """The container has none of that family: it sees its gateway."""
    port = free_port()
    web(pod, "web", "--network", back, "-p", f"[::1]:{port}:80")
    assert until(lambda: answer_at("::1", port), "answered") == "web"
    assert answer_at("127.0.0.1", port) == ""


def test_ports_are_reached_from_containers(pod: Engine, back: str) -> None:
    """By the host's address, from the container itself and from another; never one on the host's 127.0.0.1."""
    address = outgoing_address()
    assert address is not None
    open_port, closed_port = free_port(), free_port()
    published = ("-p", f"{open_port}:80", "-p", f"127.0.0.1:{closed_port}:80")
    web(pod, "web", "--network", back, *published)
    fetch = f"for i in $(seq 300); do wget -q -O - http://{address}:{open_port} && exit; sleep 0.1; done; exit 9"
    assert pod("exec", "web", "sh", "-c", fetch).out == "web"
    pod("run", "-d", "--name", "other", "--network", back, "busybox", "sleep", "1000")
    assert pod("exec", "other", "sh", "-c", fetch).out == "web"
    pod("exec", "other", "wget", "-q", "-O", "-", f"http://{address}:{closed_port}", status=1)
    assert answer_at("127.0.0.1", closed_port) == "web"


@OWN_NAMES
def test_udp_ports_show_the_client(pod: Engine, back: str) -> None:
    port = free_port()
    address = outgoing_address()
    assert address is not None
    pod(
        "run", "-d", "--name", "echo", "--network", back, "-p", f"{port}:7/udp", *PYTHON,
        "busybox", "/usr/bin/python3", "-c", TELL_CLIENT_UDP,
    )  # fmt: skip
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.settimeout(0.5)
        client.connect((address, port))

        def answer() -> bytes | None:
            try:
                client.send(b"hello")
                return client.recv(100)
            except OSError:
                return None

        assert until(answer, "answered") == address.encode()


@OWN_NAMES
def test_connect_and_disconnect(pod: Engine, back: str) -> None:
    other = network(pod, "other")
    web(pod, "shop", "--network", back)
    pod("network", "connect", "--alias", "store", other, "shop")
    assert fetch(pod, "store", "--network", other) == "shop"
    pod("restart", "-t", "0", "shop")
    assert fetch(pod, "store", "--network", other) == "shop"
    pod("network", "disconnect", other, "shop")
    assert look_up(pod, "store", "--network", other) == []
    assert fetch(pod, "shop", "--network", back) == "shop"


@ONLY_POD
def test_a_container_leaves_all_networks_and_comes_back(pod: Engine, back: str) -> None:
    """At once or after a start, with its ports; it reaches nobody meanwhile."""
    port = free_port()
    web(pod, "shop", "--network", back, "-p", f"127.0.0.1:{port}:80")
    for restart in (False, True):
        pod("network", "disconnect", back, "shop")
        if restart:
            pod("restart", "-t", "0", "shop")
        assert pod("inspect", "-f", "{{.HostConfig.NetworkMode}}", "shop").out == "none"
        assert pod("ps", "-q", "--filter", f"network={back}").out == ""
        assert pod("exec", "shop", "ip", "route").out == ""
        assert look_up(pod, "shop", "--network", back) == []
        pod("network", "connect", back, "shop")
        assert f"default via {gateway(pod, back)} dev" in pod("exec", "shop", "ip", "route").out
        assert fetch(pod, "shop", "--network", back) == "shop"
        assert until(lambda: answer_at("127.0.0.1", port), "answered") == "shop"


@OWN_NAMES
def test_a_container_leaves_its_first_network(pod: Engine, back: str) -> None:
    """The next one has the way out and the names; a file that the container has changed stays as it is."""
    other = network(pod, "other")
    web(pod, "store", "--network", other)
    for name in ("one", "two"):
        pod("run", "-d", "--name", name, "--network", back, "busybox", "sleep", "1000")
        pod("network", "connect", other, name)
    pod("exec", "two", "sh", "-c", "echo '# mine' >> /etc/resolv.conf")
    for name in ("one", "two"):
        pod("network", "disconnect", back, name)
        assert f"default via {gateway(pod, other)} dev" in pod("exec", name, "ip", "route").out
    script = "for i in $(seq 300); do wget -q -O - http://store/ && exit; sleep 0.1; done; exit 9"
    assert pod("exec", "one", "sh", "-c", script).out == "store"
    assert gateway(pod, other) in pod("exec", "one", "cat", "/etc/resolv.conf").out
    assert gateway(pod, back) in pod("exec", "two", "cat", "/etc/resolv.conf").out


@ONLY_POD
def test_a_network_in_use_stays(pod: Engine, back: str) -> None:
    pod("create", "--name", "user", "--network", back, "busybox")
    failed = pod("network", "rm", back, status=2)
    assert failed.stderr.startswith("Error: network 'back' is used by container 'user'\n")
    pod("network", "rm", "-f", "-t", "0", back)
    assert pod("ps", "-a", "-q").out == ""


@ONLY_POD
@pytest.mark.parametrize("outside", ["pasta", "slirp4netns"])
def test_a_killed_holder_is_told_and_replaced(
    pod: Engine, back: str, outside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "containers.conf"
    file.write_text(f'[network]\ndefault_rootless_network_cmd = "{outside}"\n')
    monkeypatch.setitem(pod.environment, "CONTAINERS_CONF_OVERRIDE", str(file))
    port = free_port()
    web(pod, "shop", "--network", back, "-p", f"127.0.0.1:{port}:80")
    running = keeper.descendants()
    (holder,) = [it for it in running if it.command()[:1] == ["pod networks"]]
    helpers = [it for it in running if "".join(it.command()[:1]).endswith(f"/{outside}")]
    assert len(helpers) == 1
    os.kill(holder.pid, signal.SIGKILL)
    keeper.wait_for_end([holder], 30)
    told = pod("ps").stderr
    assert "shop" in told
    assert "pod network reload -a" in told
    keeper.wait_for_end(helpers, 30)
    assert pod("ps").stderr == ""
    pod("network", "reload", "-a")
    assert fetch(pod, "shop", "--network", back) == "shop"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as reply:
        assert reply.read() == b"shop\n"


@ONLY_POD
def test_one_holder_for_all_and_none_at_the_end(pod: Engine, back: str) -> None:
    """Two containers at once start one process; the leak check sees that it goes."""
    started = [pod.spawn("run", "--rm", "--network", back, "busybox", "true") for _ in range(4)]
    for process in started:
        with process:
            out, err = process.communicate(timeout=60)
            assert (process.returncode, err) == (0, b""), out


@OWN_NAMES
def test_malformed_questions_are_survived(pod: Engine, back: str, tmp_path: Path) -> None:
    """Random bytes, cut questions, names of 63 and 64 characters, from a container to the server for names."""
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04shop\x00\x00\x01\x00\x01"
    packets = [os.urandom(size) for size in (1, 11, 12, 40, 512, 1400)]
    packets += [question[:size] for size in range(0, len(question), 3)]
    packets += [
        question.replace(b"\x04shop", bytes([size]) + b"x" * size) for size in (63, 64, 255)
    ]
    packets += [question[:4] + struct.pack("!H", 65535) + question[6:]]
    for number, packet in enumerate(packets):
        (tmp_path / f"{number:03}").write_bytes(packet)
    pod("run", "-d", "--name", "shop", "--network", back, "busybox", "sleep", "1000")
    script = "for f in /q/*; do nc -u -w 1 $GATEWAY 53 < $f > /dev/null & done; wait; nslookup shop"
    done = pod(
        "run",
        "--rm",
        "--network",
        back,
        "-e",
        f"GATEWAY={gateway(pod, back)}",
        "-v",
        f"{tmp_path}:/q:ro",
        "busybox",
        "sh",
        "-c",
        script,
    )
    assert "shop" in done.out
