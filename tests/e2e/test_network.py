"""How containers are connected: published ports, backends, shared namespaces, files with names and resolvers."""

from __future__ import annotations

import os
import re
import socket
import socketserver
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pod.linux.interfaces import outgoing_address
from tests.support import keeper
from tests.support.engine import Engine
from tests.support.waiting import free_port, until, until_http

ONLY_POD = pytest.mark.not_podman("it says it in other words")
BACKENDS = [
    pytest.param("pasta", marks=pytest.mark.not_podman("4.3 knows no pasta")),
    "slirp4netns",
]

# An answer tells who answered; "host" has python3, which the container finds under /usr.
PYTHON = ("-v", "/usr:/usr:ro", "-v", "/usr/lib:/lib:ro", "-v", "/usr/lib64:/lib64:ro")
UDP_SERVER = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", int(sys.argv[1])))
while True:
    data, address = server.recvfrom(9000)
    server.sendto(b"echo " + data, address)
"""


def serve(pod: Engine, name: str, *options: str, ports: str = "80") -> None:
    """A container that answers its name over HTTP on `ports`."""
    script = f"cd /tmp; echo {name} > index.html; for port in {ports}; do httpd -p $port; done; sleep 1000"
    pod("run", "-d", "--name", name, *options, "busybox", "sh", "-c", script)


def outside() -> str:
    """An address of this machine that is not loopback."""
    address = outgoing_address()
    assert address is not None, "this machine has no address that others could reach"
    return address


def is_free(port: int, address: str = "0.0.0.0") -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def refuses(address: str, port: int) -> bool:
    with closing(socket.socket()) as client:
        client.settimeout(5)
        return client.connect_ex((address, port)) != 0


def ask_udp(port: int, address: str) -> bytes:
    """What comes back; datagrams may be lost, above all before the server is there."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.settimeout(0.2)
        client.connect((address, port))

        def answer() -> bytes | None:
            try:
                client.send(b"hello")
                return client.recv(9000)
            except OSError:
                return None

        found = until(answer, "answered")
        assert found is not None
        return found


class Host(BaseHTTPRequestHandler):
    """Answers every request of a container."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from the host\n")

    def log_message(self, *_: object) -> None:
        pass


class HostDatagrams(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request[1].sendto(b"from the host\n", self.client_address)


@contextmanager
def host_server(protocol: str = "tcp") -> Generator[int]:
    """A server of this machine on all its addresses, HTTP or datagrams; its port."""
    server: socketserver.TCPServer
    if protocol == "udp":
        server = socketserver.UDPServer(("0.0.0.0", 0), HostDatagrams)
    else:
        server = HTTPServer(("0.0.0.0", 0), Host)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# Published ports


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_published_port_leads_to_the_container(pod: Engine, backend: str) -> None:
    port = free_port()
    serve(pod, "web", "--network", backend, "-p", f"{port}:80")
    assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    assert until_http(f"http://{outside()}:{port}/") == "web\n"
    pod("stop", "-t", "0", "web")
    assert is_free(port)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_port_on_one_address_is_on_no_other(pod: Engine, backend: str) -> None:
    port = free_port()
    serve(pod, "web", "--network", backend, "-p", f"127.0.0.1:{port}:80")
    assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    assert refuses(outside(), port)


@pytest.mark.not_podman("4.3 knows no pasta")
def test_a_port_on_an_ipv6_address(pod: Engine) -> None:
    port = free_port()
    serve(pod, "web", "-p", f"[::1]:{port}:80")
    assert until_http(f"http://[::1]:{port}/") == "web\n"
    assert refuses("127.0.0.1", port)


@pytest.mark.not_podman("it publishes through another helper")
def test_slirp4netns_publishes_on_ipv4_only(pod: Engine) -> None:
    result = pod("run", "--rm", "--network", "slirp4netns", "-p", "[::1]:8080:80", "busybox",
                 status=125)  # fmt: skip
    assert "IPv4 addresses only" in result.stderr and "pasta" in result.stderr


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_range_leads_to_a_range(pod: Engine, backend: str) -> None:
    first = free_port()  # and the next ones
    serve(pod, "web", "--network", backend, "-p", f"{first}-{first + 2}:81-83", ports="81 82 83")
    for port in range(first, first + 3):
        assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    listed = pod("port", "web").lines
    assert listed == [f"{81 + n}/tcp -> 0.0.0.0:{first + n}" for n in range(3)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_udp(pod: Engine, backend: str) -> None:
    port = free_port()
    pod("run", "-d", "--name", "udp", "--network", backend, "-p", f"{port}:5300/udp", *PYTHON,
        "busybox", "/usr/bin/python3", "-I", "-c", UDP_SERVER, "5300")  # fmt: skip
    assert ask_udp(port, outside()) == b"echo hello"
    assert pod("port", "udp").out == f"5300/udp -> 0.0.0.0:{port}"
    assert is_free(port), "TCP of the same number is nobody's"
    pod("rm", "-f", "-t", "0", "udp")


@pytest.mark.not_podman("it may choose one port for both")
def test_a_port_of_the_host_is_chosen(pod: Engine) -> None:
    serve(pod, "web", "-p", "80", "-p", "127.0.0.1::81", ports="80 81")
    ports = {line.split("/")[0]: line.rpartition(":")[2] for line in pod("port", "web").lines}
    assert ports.keys() == {"80", "81"} and len(set(ports.values())) == 2
    for port in ports.values():
        assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    assert pod("port", "web", "80").out == f"0.0.0.0:{ports['80']}"
    assert pod("port", "web", "81/tcp").out == f"127.0.0.1:{ports['81']}"
    pod("restart", "-t", "0", "web")
    assert until_http(f"http://127.0.0.1:{ports['80']}/") == "web\n"


def test_all_exposed_ports(pod: Engine) -> None:
    serve(pod, "web", "-P", "--expose", "80", "--expose", "90-91/tcp", ports="80 90 91")
    lines = pod("port", "web").lines
    assert sorted(line.split(" ")[0] for line in lines) == ["80/tcp", "90/tcp", "91/tcp"]
    for line in lines:
        assert until_http(f"http://127.0.0.1:{line.rpartition(':')[2]}/") == "web\n"


def test_inspect_shows_the_ports(pod: Engine) -> None:
    port = free_port()
    serve(pod, "web", "-p", f"127.0.0.1:{port}:80", "-p", f"{port}:53/udp")
    shown = pod("inspect", "web").json()[0]["NetworkSettings"]["Ports"]
    assert shown["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": str(port)}]
    assert shown["53/udp"][0]["HostPort"] == str(port)


# Ports that cannot be published


@ONLY_POD
def test_a_port_for_root_is_explained(pod: Engine) -> None:
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
        if int(file.read()) <= 81:
            pytest.fail(
                "ordinary users may use port 81 here; sysctl net.ipv4.ip_unprivileged_port_start=1024"
            )
    told = pod("run", "--rm", "-p", "81:80", "busybox", "true", status=125).stderr
    assert "port 0.0.0.0:81/tcp" in told and "-p 8081:80" in told
    assert "sudo sysctl net.ipv4.ip_unprivileged_port_start=81" in told
    assert pod.containers() == []


@pytest.mark.not_podman("it has no --publish-fallback")
def test_another_port_instead_of_one_for_root(pod: Engine) -> None:
    """8000 more, unless somebody has it; said once, shown by port, and no port of another container."""
    with socket.socket() as other:
        other.bind(("127.0.0.81", 8081))
        other.listen()
        words = ("create", "--publish-fallback", "-p", "127.0.0.81:81:80", "--name")
        first = pod(*words, "first", "busybox")
        second = pod(*words, "second", "-p", "127.0.0.81:82-83:82-83/udp", "busybox")
    assert first.stderr == (
        "Warning: port 81 of the host may not be used: "
        "port 8082 leads to port 80 of the container instead\n"
    )
    assert "port 8083 leads to port 80 of" in second.stderr
    assert "ports 8082-8083 lead to ports 82-83 of" in second.stderr
    assert pod("port", "first").lines == ["80/tcp -> 127.0.0.81:8082"]
    assert "82/udp -> 127.0.0.81:8082" in pod("port", "second").lines
    assert "80/tcp -> 127.0.0.81:8083" in pod("port", "second").lines


@pytest.mark.not_podman("it has no --publish-fallback")
def test_ports_that_are_allowed_stay(pod: Engine, tmp_path: Path) -> None:
    file = tmp_path / "containers.conf"
    file.write_text("[containers]\npublish_fallback = true\n")
    port = free_port()
    words = ("create", "--name", "web", "-p", f"127.0.0.1:{port}:80", "busybox")
    assert pod(*words, env={"CONTAINERS_CONF_OVERRIDE": str(file)}).stderr == ""
    assert pod("port", "web").out == f"80/tcp -> 127.0.0.1:{port}"
    words = ("create", "--name", "low", "-p", "127.0.0.82:80:80", "busybox")
    assert "port 80 of" in pod(*words, env={"CONTAINERS_CONF_OVERRIDE": str(file)}).stderr


@ONLY_POD
@pytest.mark.parametrize("backend", ["pasta", "slirp4netns"])
def test_a_port_of_another_container(pod: Engine, backend: str) -> None:
    port = free_port()
    serve(pod, "first", "--network", backend, "-p", f"{port}:80")
    told = pod(
        "run", "--name", "second", "-p", f"127.0.0.1:{port}:80", "busybox", status=125
    ).stderr
    assert f"container 'first' ({pod.containers()[0][:12]})" in told or "container 'first'" in told
    assert f"-p {port + 1}:80" in told
    assert pod("ps", "--format", "{{.Names}}").out == "first"
    pod("stop", "-t", "0", "first")
    pod("start", "-a", "second")


@ONLY_POD
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_port_of_another_process(pod: Engine, protocol: str) -> None:
    with host_server(protocol) as port:
        told = pod("run", "--rm", "-p", f"{port}:80/{protocol}", "busybox", status=125).stderr
    assert f"port 0.0.0.0:{port}/{protocol}" in told
    assert f"process {os.getpid()} (" in told


@ONLY_POD
def test_an_address_of_another_machine(pod: Engine) -> None:
    told = pod("run", "--rm", "-p", "192.0.2.250:8080:80", "busybox", status=125).stderr
    assert "192.0.2.250" in told and "does not have the address" in told


@ONLY_POD
@pytest.mark.parametrize("backend", ["pasta", "slirp4netns"])
@pytest.mark.parametrize(
    "wrong",
    [
        ("-v", "/nonexistent/place:/x"),
        ("--name", "first"),
        ("--cidfile", "/nonexistent/place"),
        ("--pid-file", "/nonexistent/place"),
        ("--hostuser", "nobody-of-this-name"),
        ("--security-opt", "seccomp=/nonexistent/place"),
    ],
)
def test_a_start_that_fails_frees_its_port_before_it_says_so(
    pod: Engine, backend: str, wrong: tuple[str, str]
) -> None:
    """Its network is begun before the rest is looked at."""
    port = free_port()
    pod("create", "--name", "first", "busybox")
    network = ("--network", backend, "-p", f"{port}:80")
    pod("run", "-d", "--rm", *network, *wrong, "busybox", "sleep", "60", status=125)
    assert is_free(port)
    pod("run", "--rm", *network, "busybox", "true")


@ONLY_POD
def test_a_port_that_is_taken_before_a_start(pod: Engine) -> None:
    port = free_port()
    pod("create", "--name", "web", "-p", f"{port}:80", "busybox", "true")
    with closing(socket.socket()) as taken:
        taken.bind(("0.0.0.0", port))
        taken.listen()
        assert f":{port}/tcp" in pod("start", "web", status=125).stderr
        assert pod("inspect", "-f", "{{.State.Status}}", "web").out == "created"
    pod("start", "-a", "web")


# Out


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_host_is_reached_by_its_name(pod: Engine, backend: str) -> None:
    with host_server() as port:
        url = f"http://host.containers.internal:{port}/"
        words = ("run", "--rm", "--network", backend, "busybox", "wget", "-q", "-O", "-", url)
        assert pod(*words).out == "from the host"


@pytest.mark.parametrize("backend", BACKENDS)
def test_udp_goes_out(pod: Engine, backend: str) -> None:
    script = (
        "import socket, sys, select\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for _ in range(40):\n"  # a datagram may be lost
        "    s.sendto(b'x', (sys.argv[1], int(sys.argv[2])))\n"
        "    if select.select([s], [], [], 0.5)[0]: break\n"
        "print(s.recv(99).decode())"
    )
    with host_server("udp") as port:
        out = pod("run", "--rm", "--network", backend, *PYTHON, "busybox", "/usr/bin/python3", "-I",
                  "-c", script, outside(), str(port)).out  # fmt: skip
    assert out == "from the host"


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_hosts_loopback_is_out_of_reach(pod: Engine, backend: str) -> None:
    """What listens on 127.0.0.1 only is not for containers, at no address that they know."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        for address in ("127.0.0.1", "10.0.2.2", outside()):
            pod("run", "--rm", "--network", backend, "busybox", "timeout", "2", "nc", "-w", "1",
                address, str(port), status=None)  # fmt: skip
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("backend", BACKENDS)
def test_names_are_resolved_as_on_the_host(pod: Engine, backend: str) -> None:
    """Whatever the resolver of this machine answers, containers are answered the same."""
    pod("run", "-d", "--name", "asker", "--network", backend, "busybox", "sleep", "1000")

    def agree() -> bool:
        """A resolver may lose a question of either side."""
        try:
            expected = bool(socket.getaddrinfo("deb.debian.org", 80))
        except OSError:
            expected = False
        answer = pod("exec", "asker", "nslookup", "deb.debian.org", status=None).stdout
        if expected and "10.0.2.3" not in answer:
            return False  # lost on its way
        return bool(re.findall(r"^Address: (\S+)$", answer, re.MULTILINE)) == expected

    until(agree, "answered alike")


# Other networks


def test_none_has_only_loopback(pod: Engine) -> None:
    script = "ls /sys/class/net; nc -w 1 192.0.2.1 80 || echo unreachable; ip -o addr show dev lo"
    out = pod("run", "--rm", "--network", "none", "busybox", "sh", "-c", script).stdout
    assert out.startswith("lo\nunreachable\n") and "127.0.0.1/8" in out


def test_host_is_the_hosts_own(pod: Engine) -> None:
    with host_server() as port:
        words = ("run", "--rm", "--network", "host", "busybox", "sh", "-c")
        out = pod(
            *words, f"readlink /proc/self/ns/net; wget -q -O - http://127.0.0.1:{port}/; hostname"
        ).lines
    assert out[:2] == [os.readlink("/proc/self/ns/net"), "from the host"]
    assert out[2] == os.uname().nodename


def test_the_network_of_another_container(pod: Engine) -> None:
    port = free_port()
    pod("run", "-d", "--name", "owner", "-p", f"{port}:80", "busybox", "sleep", "1000")
    serve(pod, "web", "--network", "container:owner")
    assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    links = {pod("exec", name, "readlink", "/proc/self/ns/net").out for name in ("owner", "web")}
    files = {pod("exec", name, "cat", "/etc/hosts").out for name in ("owner", "web")}
    assert len(links) == len(files) == 1
    words = ("run", "--rm", "--network", "container:web", "busybox", "cat", "/etc/hosts")
    assert "owner" in pod(*words).out
    pod("rm", "-f", "-t", "0", "web")
    assert until_http_fails(port)
    pod("rm", "-f", "-t", "0", "owner")


def until_http_fails(port: int) -> bool:
    return until(lambda: answers_nothing(port), "silent")


def answers_nothing(port: int) -> bool:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        try:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return not client.recv(10)
        except OSError:
            return True


@ONLY_POD
@pytest.mark.parametrize("mode", ["none", "host"])
def test_ports_need_a_network_of_ones_own(pod: Engine, mode: str) -> None:
    words = ("run", "--rm", "--network", mode, "-p", "8080:80", "busybox", "true")
    assert f"--network={mode}" in pod(*words).stderr


# Files


def test_hosts_has_the_host_and_the_container(pod: Engine) -> None:
    out = pod("run", "--rm", "--name", "me", "--hostname", "named", "busybox", "cat", "/etc/hosts")
    entries = {name: line.split()[0] for line in out.lines for name in line.split()[1:]}
    assert entries["host.containers.internal"] == outside()
    assert entries["named"] == entries["me"]
    assert entries["localhost"] in {"127.0.0.1", "::1"}
    if pod.kind == "pod":
        assert entries["host.docker.internal"] == outside()


@pytest.mark.not_podman("4.3 does not know host-gateway")
def test_added_hosts_come_first(pod: Engine) -> None:
    out = pod("run", "--rm", "--add-host", "db:192.0.2.7", "--add-host", "gate:host-gateway",
              "--add-host", "localhost:192.0.2.8", "busybox", "cat", "/etc/hosts").lines  # fmt: skip
    first: dict[str, str] = {}
    for line in out:
        address, *names = line.split()
        for name in names:
            first.setdefault(name, address)
    assert first["db"] == "192.0.2.7" and first["localhost"] == "192.0.2.8"
    assert first["gate"] == outside()


def test_hosts_can_be_left_alone(pod: Engine) -> None:
    words = ("run", "--rm", "--network", "none", "--no-hosts", "busybox", "ls", "/etc/hosts")
    assert "No such file" in pod(*words, status=None).stderr


@pytest.mark.not_podman("4.3 does not have --hosts-file")
def test_hosts_begins_with_a_file(pod: Engine) -> None:
    out = pod("run", "--rm", "--network", "none", "--hosts-file", "none", "busybox", "cat",
              "/etc/hosts").lines  # fmt: skip
    assert out[:2] == ["127.0.0.1\tlocalhost", "::1\tlocalhost"]


def test_resolv_conf_of_ones_own(pod: Engine) -> None:
    out = pod("run", "--rm", "--dns", "192.0.2.53", "--dns", "192.0.2.54", "--dns-search", "a.test",
              "--dns-search", "b.test", "--dns-option", "ndots:2", "--dns-opt", "timeout:1",
              "busybox", "cat", "/etc/resolv.conf").lines  # fmt: skip
    servers = [line for line in out if line.startswith("nameserver")]
    assert servers[:2] == ["nameserver 192.0.2.53", "nameserver 192.0.2.54"]
    assert "search a.test b.test" in out and "options ndots:2 timeout:1" in out


@ONLY_POD
def test_resolv_conf_leads_to_the_hosts_resolver(pod: Engine) -> None:
    def servers(*options: str) -> list[str]:
        lines = pod("run", "--rm", *options, "busybox", "cat", "/etc/resolv.conf").lines
        return [line.split()[1] for line in lines if line.startswith("nameserver")]

    with open("/etc/resolv.conf") as file:
        hosts = [line.split()[1] for line in file if line.startswith("nameserver")]
    assert servers() == ["10.0.2.3"]
    assert servers("--network", "host") == hosts
    assert pod(
        "run", "--rm", "--dns", "none", "busybox", "ls", "/etc/resolv.conf", status=None
    ).status


def test_names_are_written_anew_at_each_start(pod: Engine) -> None:
    pod("create", "--name", "c", "--add-host", "x:192.0.2.9", "busybox", "sh", "-c",
        "grep -c x /etc/hosts; echo 192.0.2.10 y >> /etc/hosts; grep -c y$ /etc/hosts")  # fmt: skip
    for _ in range(2):
        assert pod("start", "-a", "c").lines[1] == "1"


# Helpers


@ONLY_POD
@pytest.mark.parametrize("backend", ["pasta", "slirp4netns"])
def test_the_helper_ends_with_the_container(pod: Engine, backend: str) -> None:
    """However it ends; the leak check looks after the last one."""
    for how in (("stop", "-t", "0"), ("kill",), ("rm", "-f", "-t", "0")):
        pod(
            "run",
            "-d",
            "--replace",
            "--name",
            "c",
            "--network",
            backend,
            "busybox",
            "sleep",
            "1000",
        )
        assert helpers(backend)
        pod(*how, "c")
        until(lambda: not helpers(backend), "gone")


@ONLY_POD
@pytest.mark.parametrize("backend", ["pasta", "slirp4netns"])
def test_a_container_outlives_its_helper(pod: Engine, backend: str) -> None:
    pod("run", "-d", "--name", "c", "--network", backend, "busybox", "sleep", "1000")
    for pid in helpers(backend):
        os.kill(pid, 9)
    assert pod("exec", "c", "echo", "here").out == "here"
    pod("stop", "-t", "0", "c")
    assert pod("inspect", "-f", "{{.State.Status}}", "c").out == "exited"


def helpers(backend: str) -> list[int]:
    """Processes of these tests, and of no others on this machine, that run the backend's program."""
    names = {
        "pasta": ("pasta", "pasta.avx2", "passt.avx2", "passt"),
        "slirp4netns": ("slirp4netns",),
    }
    return [
        process.pid
        for process in keeper.descendants()
        if (words := process.command()) and os.path.basename(words[0]) in names[backend]
    ]
