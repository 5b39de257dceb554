"""`pod build --network NAME`: commands of a build on networks of the caller's own; what is fetched meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.build import Context
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine

pytestmark = pytest.mark.not_podman("4.3 cannot have networks in a build, nor two stages at once")


@pytest.fixture
def context(pod: Engine, tmp_path: Path) -> Context:
    return Context(pod, tmp_path / "context")


@pytest.fixture
def network(pod: Engine) -> Generator[str]:
    pod("network", "create", "--subnet", "10.61.7.0/24", "back")
    yield "back"
    pod("rm", "-fat0", status=None)
    pod("network", "rm", "-f", "back")


def test_a_command_reaches_containers_by_name(context: Context, pod: Engine, network: str) -> None:
    script = "while true; do echo hello | nc -lp 80; done"
    pod("run", "-d", "--name", "server", "--network", network, "busybox", "sh", "-c", script)
    context.build(
        "FROM busybox AS one\nRUN ip -4 addr show eth0 | grep inet > /addr\n"
        "RUN until [ -s /said ]; do nc server 80 > /said; sleep 0.1; done\n"
        "FROM busybox\nRUN ip -4 addr show eth0 | grep inet > /addr\n"
        "COPY --from=one /addr /said /one/\n",
        f"--network={network}",
        "--jobs=2",
    )
    lines = context.run("cat", "/one/said", "/addr", "/one/addr").split("\n")
    assert lines[0] == "hello"
    assert all("inet 10.61.7." in line for line in lines[1:])
    assert "server" in pod("network", "inspect", network).out


def test_nothing_is_left_of_a_command_on_a_network(
    context: Context, pod: Engine, network: str
) -> None:
    context.build("FROM busybox\nRUN exit 3\n", f"--network={network}", status=3)
    assert pod("ps", "-aq").out == ""
    pod("network", "rm", network)
    nothing_wrong(pod, max_age="24h")


def test_networks_that_cannot_be(context: Context, network: str) -> None:
    for given, says in (
        ("nowhere", "no network has the name or id 'nowhere'"),
        (f"{network}:ip=10.61.7.9", "each gets an address that is free"),
        ("container:x", "no container has the name or id 'x'"),
    ):
        done = context.build("FROM busybox\nRUN true\n", f"--network={given}", status=125)
        assert says in done.stderr


class _Slow(BaseHTTPRequestHandler):
    """`/slow` is answered when `/quick` has been, so that one who waits for it before the other waits for ever."""

    quick_was_fetched: threading.Event

    def do_GET(self) -> None:
        if self.path == "/slow":
            assert self.quick_was_fetched.wait(50)
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"x")
        if self.path == "/quick":
            self.quick_was_fetched.set()

    def log_message(self, *_: object) -> None:
        pass


def test_stages_go_on_while_one_fetches(context: Context) -> None:
    handler = type("Slow", (_Slow,), {"quick_was_fetched": threading.Event()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        context.build(
            f"FROM scratch AS slow\nADD {address}/slow /slow\n"
            f"FROM scratch AS quick\nADD {address}/quick /quick\n"
            "FROM busybox\nCOPY --from=slow /slow /\nCOPY --from=quick /quick /\n"
        )
        server.shutdown()
    assert context.run("cat", "/slow", "/quick") == "xx"
