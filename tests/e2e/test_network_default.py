"""The default network as a bridge: `--network bridge`, or for every container by the key netns of containers.conf."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from pod.linux.interfaces import outgoing_address
from tests.support.engine import Engine
from tests.support.waiting import free_port, until, until_http

ONLY_POD = pytest.mark.not_podman("Debian's podman has no server for names")
PYTHON = ("-v", "/usr:/usr:ro", "-v", "/usr/lib:/lib:ro", "-v", "/usr/lib64:/lib64:ro")
TELL_CLIENT = """
import socket
server = socket.create_server(("0.0.0.0", 80))
while True:
    client, address = server.accept()
    client.sendall(address[0].encode())
    client.close()
"""
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"


@pytest.fixture
def by_configuration(pod: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(pod, "bridge", tmp_path, monkeypatch)


@pytest.fixture
def automatically(pod: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(pod, "auto", tmp_path, monkeypatch)


def configure(pod: Engine, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "default.conf"
    file.write_text(f'[containers]\nnetns = "{mode}"\n')
    monkeypatch.setitem(pod.environment, "CONTAINERS_CONF_OVERRIDE", str(file))


def web(pod: Engine, name: str, *options: str) -> None:
    """A container that serves its name."""
    script = f"mkdir -p /tmp/www; echo {name} > /tmp/www/index.html; exec httpd -f -h /tmp/www"
    pod("run", "-d", "--name", name, *options, "busybox", "sh", "-c", script)


def test_containers_have_addresses_on_it(pod: Engine) -> None:
    web(pod, "web", "--network", "bridge")
    address = pod("inspect", "-f", ADDRESS, "web").out
    assert address.startswith("10.88.")
    assert pod("inspect", "-f", "{{.HostConfig.NetworkMode}}", "web").out == "bridge"
    script = f"until wget -q -O - http://{address}; do sleep 0.1; done"
    assert pod("run", "--rm", "--network", "bridge", "busybox", "sh", "-c", script).out == "web"


@ONLY_POD
@pytest.mark.usefixtures("by_configuration")
def test_containers_find_each_other_by_name(pod: Engine) -> None:
    web(pod, "web")
    script = "until wget -q -O - http://web; do sleep 0.1; done"
    assert pod("run", "--rm", "busybox", "sh", "-c", script).out == "web"


@ONLY_POD
def test_the_first_packet_is_not_lost(pod: Engine) -> None:
    words = (
        "run",
        "--rm",
        "--network",
        "bridge",
        "busybox",
        "cat",
        "/sys/class/net/eth0/operstate",
    )
    assert pod(*words).out == "up"


@ONLY_POD
@pytest.mark.usefixtures("automatically")
def test_who_comes_and_goes_alone_has_a_network_of_its_own(pod: Engine) -> None:
    assert "10.0.2.100/24" in pod("run", "--rm", "busybox", "ip", "addr").out
    port = free_port()
    assert "inet 10.88." in pod("run", "--rm", "-p", f"{port}:80", "busybox", "ip", "addr").out
    assert "inet 10.88." in pod("run", "--rm", "--name", "known", "busybox", "ip", "addr").out


@ONLY_POD
@pytest.mark.usefixtures("automatically")
def test_who_comes_and_goes_finds_who_stays(pod: Engine) -> None:
    web(pod, "web")
    assert pod("inspect", "-f", ADDRESS, "web").out.startswith("10.88.")
    script = "until wget -q -O - http://web; do sleep 0.1; done"
    assert pod("run", "--rm", "busybox", "sh", "-c", script).out == "web"


@ONLY_POD
@pytest.mark.usefixtures("automatically")
def test_who_shares_namespaces_is_no_further_away_than_they_are(pod: Engine) -> None:
    pod("run", "-d", "--name", "apart", "--network", "private", "busybox", "sleep", "1000")
    web(pod, "beside", "--pid", "container:apart")
    assert pod("inspect", "-f", ADDRESS, "beside").out == ""
    pod("rm", "-f", "-t", "0", "beside", "apart")


@ONLY_POD
def test_an_address_of_ones_own(pod: Engine) -> None:
    words = ("run", "--rm", "--network", "bridge", "--ip", "10.88.7.7", "busybox", "ip", "addr")
    assert "inet 10.88.7.7/16 " in pod(*words).out


@ONLY_POD
@pytest.mark.usefixtures("by_configuration")
def test_ports_are_published_and_show_the_client(pod: Engine) -> None:
    port, address = free_port(), outgoing_address()
    assert address is not None
    pod("run", "-d", "-p", f"{port}:80", *PYTHON, "busybox", "/usr/bin/python3", "-c", TELL_CLIENT)

    def seen() -> str:
        try:
            with closing(socket.create_connection((address, port), timeout=5)) as client:
                return client.recv(100).decode()
        except OSError:
            return ""

    assert until(seen, "answered") == address


@ONLY_POD
@pytest.mark.usefixtures("by_configuration")
def test_private_stays_without_others(pod: Engine) -> None:
    web(pod, "web", "--network", "private")
    assert pod("inspect", "-f", ADDRESS, "web").out == ""
    assert "10.0.2.100/24" in pod("exec", "web", "ip", "addr").out


@ONLY_POD
def test_a_kernel_that_makes_no_bridges_gives_networks_without_others(fresh_pod: Engine) -> None:
    pod = fresh_pod
    pod.have("busybox")
    port = free_port()
    os.makedirs(pod.runroot, exist_ok=True)
    Path(pod.runroot, "networks.probed").write_text("rules: Protocol not supported")
    web(pod, "web", "-p", f"{port}:80")
    assert until_http(f"http://127.0.0.1:{port}") == "web\n"
    assert pod("inspect", "-f", ADDRESS, "web").out == ""
    told = pod(
        "run", "--rm", "--network", "bridge", "busybox", "ip", "-4", "addr", "show", "eth0"
    ).out
    assert " 10.88." in told  # who asks for it is not refused what may work


@ONLY_POD
@pytest.mark.usefixtures("by_configuration")
def test_networks_can_be_added(pod: Engine) -> None:
    pod("network", "create", "back")
    port = free_port()
    web(pod, "web", "-p", f"127.0.0.1:{port}:80")
    pod("network", "connect", "back", "web")
    pod("network", "disconnect", "podman", "web")
    assert "10.88." not in pod("exec", "web", "ip", "addr").out
    pod("network", "connect", "bridge", "web")
    assert "10.88." in pod("exec", "web", "ip", "addr").out
    assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    pod("rm", "-f", "-t", "0", "web")
    pod("network", "rm", "back")


@ONLY_POD
@pytest.mark.usefixtures("by_configuration")
def test_another_runtime_has_a_network_without_others(pod: Engine) -> None:
    words = ("run", "--rm", "--runtime", "crun", "busybox", "ip", "addr")
    assert "10.0.2.100/24" in pod(*words).out


@ONLY_POD
def test_the_subnet_is_configured(pod: Engine, tmp_path: Path) -> None:
    file = tmp_path / "subnet.conf"
    words = ("run", "--rm", "--network", "bridge", "busybox", "ip", "addr")
    try:
        file.write_text('[network]\ndefault_subnet = "10.77.8.0/24"\n')
        done = pod(*words, env={"CONTAINERS_CONF_OVERRIDE": str(file)})
        assert "inet 10.77.8.2/24 " in done.out
    finally:
        assert "inet 10.88.0.2/16 " in pod(*words).out


@ONLY_POD
def test_another_network_is_the_default(pod: Engine, tmp_path: Path) -> None:
    pod("network", "create", "--subnet", "10.77.9.0/24", "mine")
    file = tmp_path / "default.conf"
    file.write_text('[network]\ndefault_network = "mine"\n')
    words = ("run", "--rm", "--network", "bridge", "busybox", "ip", "addr")
    assert "10.77.9.2/24" in pod(*words, env={"CONTAINERS_CONF_OVERRIDE": str(file)}).out
    pod("network", "rm", "mine")
