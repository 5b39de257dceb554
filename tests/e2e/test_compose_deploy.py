"""`deploy` on one machine: containers that share a port, and updates one after another, with a way back."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine, Result
from tests.support.waiting import PATIENCE, free_port, until

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")

WEB = """
name: NAME
services:
  web:
    image: busybox
    command: [sh, -c, "mkdir /site; hostname >/site/index.html; exec httpd -f -p 80 -h /site"]
    ports: ["127.0.0.1:PORT:80"]
    stop_signal: SIGKILL
"""
CHANGED = """
name: rolled
services:
  web:
    image: busybox
    command: [sh, -c, "CASE"]
    healthcheck: {test: [CMD-SHELL, "CHECK"], interval: 1s, retries: 1}
    stop_signal: SIGKILL
    deploy:
      replicas: 2
      update_config: {UPDATE}
"""
# One that comes before the command waits for it: it would find what is well unwell.
CHECK = "until test -e /began; do sleep 0.1; done; test -e /ready || { echo not ready; exit 1; }"
WELL = "echo NUMBER; touch /ready /began; exec sleep 1000"
UNWELL = "touch /began; exec sleep 1000"


class Project:
    def __init__(self, pod: Engine, path: Path) -> None:
        self.pod = pod
        self.path = path

    def __call__(self, *words: str, status: int | None = 0, **more: Any) -> Result:
        return self.pod("compose", *words, status=status, cwd=str(self.path), **more)

    def write(self, text: str, file: str = "compose.yaml", **values: str) -> None:
        for key, value in {"CHECK": CHECK, **values}.items():
            text = text.replace(key, value)
        (self.path / file).write_text(text)

    def members(self) -> dict[str, tuple[str, str]]:
        """Name -> id and state of all containers."""
        shown = self("ps", "--all", "--no-trunc", "--format", "json").json()
        return {one["Name"]: (one["ID"], one["State"]) for one in shown}


@pytest.fixture
def project(pod: Engine, tmp_path: Path) -> Generator[Project]:
    made = Project(pod, tmp_path)
    yield made
    for file in tmp_path.glob("*.yaml"):
        made("-f", str(file), "down", "--volumes", "--remove-orphans", "-t", "0", status=None)


def answer(port: int) -> str:
    """Who answers on a port, "" for nobody."""
    found, error = ask(port)
    return "" if error else found


def ask(port: int) -> tuple[str, str]:
    """What is answered on a port, and what went wrong."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=10 * PATIENCE) as response:
            return str(response.read().decode().strip()), ""
    except OSError as error:
        return "", repr(error)


def answering(port: int, count: int) -> set[str]:
    """Who answers to so many connections one after another; to each of them somebody does."""
    found = {answer(port) for _ in range(count)}
    assert "" not in found
    return found


def test_containers_of_a_service_share_a_port(project: Project, pod: Engine) -> None:
    port = str(free_port())
    project.write(WEB, NAME="shared", PORT=port)
    project("up", "-d")
    until(lambda: answer(int(port)), "an answer")
    first = answering(int(port), 3)
    assert len(first) == 1
    project("up", "-d", "--scale", "web=3")
    until(lambda: len(answering(int(port), 6)) == 3, "answers of all three")
    pod("stop", "-t", "0", "shared-web-1")  # whoever came first had the socket
    assert len(answering(int(port), 6)) == 2
    project("start")
    until(lambda: len(answering(int(port), 6)) == 3, "answers of all three again")

    project.write(WEB, "other.yaml", NAME="other", PORT=port)
    refused = project("-f", "other.yaml", "up", "-d", status=125)
    assert "container 'shared-web-" in refused.stderr and port in refused.stderr
    project("scale", "web=1")
    assert answering(int(port), 3) == first
    project("down", "-t", "0")
    assert answer(int(port)) == ""


SERVING = """
name: serving
services:
  web:
    image: busybox
    command: [sh, -c, "mkdir /site; echo VERSION >/site/index.html; exec httpd -f -p 80 -h /site"]
    ports: ["127.0.0.1:PORT:80"]
    stop_signal: SIGKILL
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 100ms, retries: 1000}
    deploy: {replicas: COUNT, update_config: {order: ORDER}}
"""


@pytest.mark.parametrize(("count", "order"), [("1", "start-first"), ("2", "stop-first")])
def test_no_request_fails_during_an_update(project: Project, count: str, order: str) -> None:
    """Nor because the old container is killed, without any time to be done with its clients."""
    port = free_port()
    values = {"PORT": str(port), "COUNT": count, "ORDER": order}
    project.write(SERVING, VERSION="1", **values)
    project("up", "-d", "--wait")
    found: list[tuple[float, str]] = []  # when it was asked, and what came of it
    is_over = threading.Event()

    def ask_again() -> None:
        while not is_over.is_set():
            asked_at = time.monotonic()
            found.append((asked_at, "".join(ask(port))))

    clients = [threading.Thread(target=ask_again) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        until(lambda: found, "an answer")
        for version in ("2", "3"):
            project.write(SERVING, VERSION=version, **values)
            project("up", "-d", env={"POD_TEST_SPARE_SECONDS": str(10 * PATIENCE)})
            since = time.monotonic()
            until(lambda since=since: sum(at > since for at, _ in found) > 6, "answers afterwards")  # type: ignore[misc]
            assert {answer for at, answer in found if at > since} == {version}, (
                "the old ones get no requests any more"
            )
    finally:
        is_over.set()
        for client in clients:
            client.join()
    assert {answer for _, answer in found} == {"1", "2", "3"}


def test_a_port_is_shared_again_after_all_were_killed(project: Project, pod: Engine) -> None:
    """A client that was on its way to one that was killed goes on to another; none is left waiting."""
    port = free_port()
    project.write(WEB.replace("    stop", "    restart: always\n    deploy: {replicas: 3}\n    stop"),
                  NAME="killed", PORT=str(port))  # fmt: skip
    project("up", "-d")
    names = [f"killed-web-{number}" for number in (1, 2, 3)]
    until(lambda: len({answer(port) for _ in range(3)} - {""}) == 3, "answers of all three")
    for _ in range(2):
        for number in pod("inspect", "--format", "{{.State.Pid}}", *names).lines:
            os.kill(int(number), signal.SIGKILL)
        until(lambda: len({answer(port) for _ in range(6)} - {""}) == 3, "answers of all three")
        # Whoever gets no answer is told so: of connections that nobody serves, none is there any more.
        assert len(answering(port, 6)) == 3


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_update_goes_back_where_the_new_ones_are_not_well(project: Project, order: str) -> None:
    update = f"failure_action: rollback, order: {order}"
    project.write(CHANGED, CASE=WELL.replace("NUMBER", "1"), UPDATE=update)
    project("up", "-d", "--wait")
    before = project.members()
    assert list(before) == ["rolled-web-1", "rolled-web-2"]

    project.write(CHANGED, CASE=WELL.replace("NUMBER", "2"), UPDATE=update)
    project("up", "-d")
    updated = project.members()
    assert list(updated) == list(before) and not set(updated.values()) & set(before.values())

    project.write(CHANGED, CASE=UNWELL, UPDATE=update)
    failed = project("up", "-d", status=1)
    assert "service 'web': the new container is not well: it is unhealthy; its last check said: not ready" in (
        failed.stderr
    )  # fmt: skip
    assert "the old containers are back" in failed.stderr
    assert project.members() == updated
    assert {state for _, state in updated.values()} == {"running"}


def test_update_pauses_at_the_first_that_is_not_well(project: Project) -> None:
    project.write(CHANGED, CASE=WELL.replace("NUMBER", "1"), UPDATE="monitor: 100ms")
    project("up", "-d", "--wait")
    before = project.members()
    project.write(CHANGED, CASE="exit 3", UPDATE="monitor: 100ms")
    failed = project("up", "-d", status=1)
    assert "ended with status 3; 1 more were left as they are" in failed.stderr
    after = project.members()
    assert after["rolled-web-2"] == before["rolled-web-2"]
    assert after["rolled-web-1"][1] == "exited" and after["rolled-web-1"] != before["rolled-web-1"]

    project.write(CHANGED, CASE="exit 3", UPDATE="failure_action: continue, parallelism: 0")
    project("up", "-d", "--force-recreate", status=1)
    assert {state for _, state in project.members().values()} == {"exited"}
    project.write(
        CHANGED, CASE=WELL.replace("NUMBER", "2"), UPDATE="order: start-first, delay: 1ms"
    )
    project("up", "-d", "--wait")
    assert {state for _, state in project.members().values()} == {"running"}


@pytest.mark.parametrize("ratio", ["0.5", "0.4"])
def test_so_many_new_ones_may_fail(project: Project, ratio: str) -> None:
    update = f"failure_action: rollback, parallelism: 2, max_failure_ratio: {ratio}"
    text = CHANGED.replace("    stop_signal", "    volumes: ['.:/shared']\n    stop_signal")
    project.write(text, CASE=WELL.replace("NUMBER", "1"), UPDATE=update)
    project("up", "-d", "--wait")
    before = project.members()
    one_is_well = "mkdir /shared/taken && touch /ready; touch /began; exec sleep 1000"
    project.write(text, CASE=one_is_well, UPDATE=update)
    failed = project("up", "-d", status=1)
    after = project.members()
    if ratio == "0.4":
        assert "the old containers are back" in failed.stderr
        assert after == before
    else:
        assert "it is unhealthy" in failed.stderr and "are back" not in failed.stderr
        assert list(after) == list(before) and not set(after.values()) & set(before.values())


def test_time_passes_between_containers(project: Project) -> None:
    def seconds_between() -> float:
        shown = [project.pod("inspect", name).json()[0] for name in project.members()]
        first, second = (
            datetime.fromisoformat(it["State"]["StartedAt"][:19]).timestamp() for it in shown
        )
        return abs(second - first)

    text = CHANGED.replace(
        "update_config",
        "rollback_config: {parallelism: 1, delay: 4s}\n      update_config",
    )
    update = "failure_action: rollback, parallelism: 1, delay: 4s"
    project.write(text, CASE=WELL.replace("NUMBER", "1"), UPDATE=update)
    project("up", "-d", "--wait")
    project.write(text, CASE=WELL.replace("NUMBER", "2"), UPDATE=update)
    project("up", "-d")
    assert seconds_between() >= 3

    at_once = "failure_action: rollback, parallelism: 0"
    project.write(text, CASE=UNWELL, UPDATE=at_once)
    project("up", "-d", status=1)
    assert seconds_between() >= 3  # both have stopped and were started again


@pytest.mark.parametrize(
    "step",
    ["compose: old one renamed", "compose: new one made", "compose: new one well", "compose: new one out of the way"],
)  # fmt: skip
def test_update_goes_on_after_a_kill(project: Project, step: str) -> None:
    update = "failure_action: rollback, order: start-first, parallelism: 2"
    case = UNWELL if step.endswith("way") else WELL.replace("NUMBER", "2")
    project.write(CHANGED, CASE=WELL.replace("NUMBER", "1"), UPDATE=update)
    project("up", "-d", "--wait")
    project.write(CHANGED, CASE=case, UPDATE=update)
    project("up", "-d", status=None, env={"POD_TEST_KILL_AT": step})
    project.write(CHANGED, CASE=WELL.replace("NUMBER", "3"), UPDATE=update)
    project("up", "-d", "--wait")
    assert list(project.members()) == ["rolled-web-1", "rolled-web-2"]
    assert {state for _, state in project.members().values()} == {"running"}
    assert set(project("logs", "--no-log-prefix", "web").lines) == {"3"}


def test_placement_is_checked_before_anything_is_made(project: Project) -> None:
    project.write(
        """
        name: placed
        services:
          web: {image: busybox, deploy: {placement: {constraints: [node.role == manager, CASE]}}}
        """,
        CASE="node.labels.disk == ssd",
    )
    failed = project("create", status=125).stderr
    assert (
        "'node.labels.disk == ssd' does not hold on this machine, where no node has labels"
        in failed
    )
    assert project.members() == {}


ENDING = """
name: ends
services:
  web:
    image: busybox
    command: [sh, -c, "date +%s >>/times/it; exit STATUS"]
    volumes: ["times:/times"]
    deploy: {restart_policy: {POLICY}}
volumes: {times: }
"""


@pytest.mark.parametrize(
    ("policy", "status", "starts"),
    [
        ("condition: on-failure, max_attempts: 2, delay: 1s", "3", 3),
        ("condition: any, max_attempts: 1, delay: 1s", "0", 2),
        ("condition: on-failure, max_attempts: 2, delay: 1s", "0", 1),
        ("condition: none", "3", 1),
    ],
)
def test_containers_are_restarted_as_the_file_says(
    project: Project, pod: Engine, policy: str, status: str, starts: int
) -> None:
    project.write(ENDING, STATUS=status, POLICY=policy)
    project("up", "-d")
    until(lambda: project.members()["ends-web-1"][1] == "exited", "the last end")
    times = pod("run", "--rm", "-v", "ends_times:/times", "busybox", "cat", "/times/it").lines
    assert len(times) == starts
    assert all(int(after) - int(before) >= 1 for before, after in itertools.pairwise(times))


def test_a_container_that_ran_longer_than_the_window_is_counted_anew(project: Project) -> None:
    """It would have given up after the second restart, were they counted together."""
    project.write(
        ENDING.replace("exit STATUS", "sleep 1.2; exit 1"),
        POLICY="condition: on-failure, max_attempts: 1, window: 1s, delay: 0s",
    )
    project("up", "-d")

    def restarts() -> int:
        return int(project.pod("inspect", "--format", "{{.RestartCount}}", "ends-web-1").out)

    until(lambda: restarts() > 2, "the third restart")
