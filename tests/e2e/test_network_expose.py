"""`pod network expose`: containers by name, from the host."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.engine import Engine
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("it has no such command")


@pytest.fixture
def port(pod: Engine) -> Iterator[int]:
    """The port of a forwarder that runs during the test."""
    with pod.spawn("network", "expose", "--port", "0") as process:
        assert process.stdout is not None
        address = process.stdout.readline().decode().strip()
        assert address.startswith("http://NAME.pod.localhost:")
        yield int(address.rpartition(":")[2])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def web(pod: Engine, name: str, text: str, *options: str, port: int = 80) -> None:
    script = f"echo {text} > /tmp/index.html; exec httpd -f -p {port} -h /tmp"
    pod("run", "-d", "--name", name, *options, "busybox", "sh", "-c", script)


def ask(port: int, host: str, *parts: bytes) -> bytes:
    """The whole answer to a request for that host; sent in these parts, if they are given."""
    request = f"GET / HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode()
    with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as client:
        for part in parts or (request,):
            client.sendall(part)
        answer = b""
        try:
            while more := client.recv(4096):
                answer += more
        except ConnectionResetError:
            pass  # nobody listens in the container yet
        return answer


def body(port: int, host: str) -> str:
    return ask(port, host).partition(b"\r\n\r\n")[2].decode().strip()


def test_names_lead_to_containers(pod: Engine, port: int) -> None:
    web(pod, "shop", "of-shop", "-p", "127.0.0.1::80")
    web(pod, "Blog", "of-blog", "-p", "127.0.0.1::80")
    assert until(lambda: body(port, "shop.pod.localhost"), "answered") == "of-shop"
    assert until(lambda: body(port, "BLOG.pod.localhost"), "answered") == "of-blog"
    pod("rm", "-f", "-t", "0", "shop")
    assert ask(port, "shop.pod.localhost").startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_another_port_is_named(pod: Engine, port: int) -> None:
    script = "for it in 80 9000; do mkdir /$it; echo $it > /$it/index.html; httpd -p $it -h /$it; done; sleep 1000"
    pod("run", "-d", "--name", "two", "-p", "9000", "-p", "80", "busybox", "sh", "-c", script)
    assert until(lambda: body(port, "two.pod.localhost"), "answered") == "80"
    assert until(lambda: body(port, "9000.two.pod.localhost"), "answered") == "9000"
    assert b" 404 " in ask(port, "9001.two.pod.localhost")


def test_a_pod_and_its_containers_share_ports(pod: Engine, port: int) -> None:
    pod("pod", "create", "--name", "team", "-p", "127.0.0.1::80")
    web(pod, "member", "of-team", "--pod", "team")
    assert until(lambda: body(port, "team.pod.localhost"), "answered") == "of-team"
    assert body(port, "member.pod.localhost") == "of-team"
    pod("pod", "rm", "-f", "-t", "0", "team")


@pytest.mark.parametrize("text", ["", "localhost", "nobody.pod.localhost", "[::1]", "..."])
def test_names_that_nobody_has(port: int, text: str) -> None:
    answer = ask(port, text)
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"no running container" in answer


def test_a_head_in_parts(pod: Engine, port: int) -> None:
    web(pod, "shop", "of-shop", "-p", "127.0.0.1::80")
    until(lambda: body(port, "shop.pod.localhost"), "answered")
    parts = (b"GET / HT", b"TP/1.0\r\nho", b"st: shop.pod.localhost\r", b"\n\r", b"\n")
    assert ask(port, "", *parts).endswith(b"of-shop\n")


def test_a_head_without_end_is_not_awaited(port: int) -> None:
    assert ask(port, "", b"GET / HTTP/1.0\r\nx: " + b"y" * 20000) == b""


def test_a_port_that_is_taken(pod: Engine, port: int) -> None:
    failed = pod("network", "expose", "--port", str(port), status=125)
    assert f"port 127.0.0.1:{port} cannot be listened on" in failed.stderr
