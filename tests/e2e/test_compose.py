"""`pod compose`: projects made from files, changed, looked at and taken down."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine, Result
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")

SHOP = """
name: NAME
services:
  web:
    image: busybox
    command: [sh, -c, "echo hello $$GREETING from $$(hostname); exec httpd -f -p 80 -h /site"]
    environment: {GREETING: "${WHO:-world}"}
    ports: ["127.0.0.1:PORT:80"]
    volumes: ["data:/site:ro"]
    depends_on: [db]
    stop_signal: SIGKILL
  db:
    image: busybox
    command: sh -c 'echo page > /data/index.html; exec sleep 1000'
    volumes: ["data:/data"]
    stop_signal: SIGKILL
volumes: {data: }
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Files:
    """A directory with compose files, and `pod compose` called for it."""

    def __init__(self, pod: Engine, directory: Path) -> None:
        self.pod = pod
        self.directory = directory
        self.projects: set[str] = set()

    def write(self, text: str, name: str = "compose.yaml") -> str:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def __call__(self, *words: str, status: int | None = 0, **more: Any) -> Result:
        return self.pod(
            "compose", "--project-directory", str(self.directory), *words, status=status, **more
        )

    def state(self, *words: str) -> dict[str, str]:
        """Name -> state of all containers."""
        shown = self(*words, "ps", "--all", "--format", "json").json()
        return {one["Name"]: one["State"] for one in shown}


@pytest.fixture
def compose(pod: Engine, tmp_path: Path) -> Generator[Files]:
    files = Files(pod, tmp_path)
    yield files
    for path in tmp_path.glob("compose*.yaml"):
        files("-f", str(path), "down", "--volumes", "--remove-orphans", "-t", "0", status=None)


def page(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    except OSError:
        return b""
    finally:
        connection.close()


def test_up_makes_what_the_file_says_and_down_removes_it(compose: Files, pod: Engine) -> None:
    port = free_port()
    compose.write(SHOP.replace("NAME", "shop").replace("PORT", str(port)))
    first = compose("up", "-d")
    assert " Network shop_default  Created" in first.stderr
    assert " Volume shop_data  Created" in first.stderr
    assert " Container shop-web-1  Started" in first.stderr
    assert until(lambda: page(port), "an answer") == b"page\n"
    assert compose.state() == {"shop-db-1": "running", "shop-web-1": "running"}
    assert compose("ps", "--services").lines == ["db", "web"]
    until(lambda: "hello" in compose("logs", "web").out, "the greeting")
    assert compose("logs", "web").out.startswith("web-1 | hello world from ")
    assert compose("logs", "--no-log-prefix", "web").out.startswith("hello world")

    labels = json.loads(pod("inspect", "--format", "{{json .Config.Labels}}", "shop-web-1").out)
    prefix = "com.docker.compose"
    assert labels[f"{prefix}.project"] == "shop" and labels[f"{prefix}.service"] == "web"
    assert labels[f"{prefix}.container-number"] == "1" and labels[f"{prefix}.oneoff"] == "False"
    assert labels[f"{prefix}.depends_on"] == "db:service_started:false"
    assert labels[f"{prefix}.project.working_dir"] == str(compose.directory)
    assert labels[f"{prefix}.project.config_files"] == str(compose.directory / "compose.yaml")
    assert len(labels[f"{prefix}.config-hash"]) == 64
    assert labels[f"{prefix}.image"].startswith("sha256:")
    found = pod("exec", "shop-web-1", "wget", "-qO-", "http://web/").out
    assert found == "page"

    down = compose("down")
    assert " Network shop_default  Removed" in down.stderr
    assert compose.state() == {}
    assert pod("volume", "ls", "-q").lines == ["shop_data"]
    compose("down", "--volumes")
    assert pod("volume", "ls", "-q").lines == []


def test_up_again_keeps_what_has_not_changed(compose: Files, pod: Engine) -> None:
    text = SHOP.replace("NAME", "again").replace("PORT", str(free_port()))
    compose.write(text)
    compose("up", "-d")
    before = compose("ps", "-q").lines
    assert "Started" not in compose("up", "-d").stderr
    assert compose("ps", "-q").lines == before
    plan = compose("--dry-run", "up").lines
    assert plan == [
        "db: keep again-db-1: nothing has changed",
        "web: keep again-web-1: nothing has changed",
    ]
    compose.write(text.replace("world", "moon"))
    plan = compose("--dry-run", "up").lines
    assert plan[1] == "web: recreate again-web-1: the configuration of the service has changed"
    assert compose("ps", "-q").lines == before
    compose("up", "-d")
    after = compose("ps", "-q").lines
    assert after[0] == before[0] and after[1] != before[1]
    pod("kill", "again-db-1")
    until(lambda: compose.state()["again-db-1"] == "exited", "the end")
    assert " Container again-db-1  Started" in compose("up", "-d").stderr
    compose("up", "-d", "--force-recreate", "web")
    assert compose("ps", "-q", "db").lines == [after[0]]
    assert compose("ps", "-q", "web").lines != [after[1]]
