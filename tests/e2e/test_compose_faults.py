"""`pod compose` when something goes wrong: killed at every step, twice at once, a port that is taken."""

from __future__ import annotations

import json
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine, Result

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")

TEXT = """
name: NAME
services:
  web:
    image: busybox
    command: [sleep, "1000"]
    environment: {V: "1"}
    volumes: ["data:/data", /anonymous]
    depends_on: [db]
    stop_signal: SIGKILL
  db: {image: busybox, command: [sleep, "1000"], environment: {V: "1"}, stop_signal: SIGKILL}
volumes: {data: }
"""
MAKING = ["volume: directory", "create: row", "compose: container made", "launch: ordered"]
CHANGING = [
    "stop: said",
    "compose: old one renamed",
    "create: directory",
    "compose: new one made",
    "remove: row",
    "launch: reported",
]


class Project:
    def __init__(self, pod: Engine, path: Path, name: str) -> None:
        self.pod = pod
        self.file = path / "compose.yaml"
        self.name = name

    def write(self, text: str) -> None:
        self.file.write_text(text.replace("NAME", self.name))

    def __call__(self, *words: str, status: int | None = 0, **more: Any) -> Result:
        return self.pod("compose", "-f", str(self.file), *words, status=status, **more)

    def containers(self) -> dict[str, str]:
        """Name -> state of the containers that have the label of the project, by `pod ps`."""
        found = self.pod(
            "ps",
            "-a",
            "--filter",
            f"label=com.docker.compose.project={self.name}",
            "--format",
            "json",
        ).json()
        return {one["Names"][0]: one["State"] for one in found}

    def is_whole(self) -> bool:
        return self.containers() == {f"{self.name}-{it}-1": "running" for it in ("web", "db")}


@pytest.fixture
def project(pod: Engine, tmp_path: Path) -> Generator[Project]:
    made = Project(pod, tmp_path, "faulty")
    made.write(TEXT)
    yield made
    made("down", "--volumes", "--remove-orphans", "-t", "0", status=None)


@pytest.mark.parametrize("step", MAKING)
def test_up_goes_on_after_a_kill(project: Project, step: str) -> None:
    project("up", "-d", status=None, env={"POD_TEST_KILL_AT": step})
    project("up", "-d")
    assert project.is_whole()


@pytest.mark.parametrize("steps", [CHANGING[:3], CHANGING[3:]], ids=["before", "after"])
def test_change_goes_on_after_a_kill(project: Project, pod: Engine, steps: list[str]) -> None:
    project("up", "-d")
    pod("exec", "faulty-web-1", "touch", "/anonymous/kept")
    for step in steps:
        project.write(TEXT.replace('"1"', f'"{step}"'))
        project("up", "-d", status=None, env={"POD_TEST_KILL_AT": step})
        project("up", "-d")
        assert project.is_whole(), step
        shown = pod("exec", "faulty-web-1", "sh", "-c", "echo $V; ls /anonymous").lines
        assert shown == [step, "kept"]
    assert len(pod("volume", "ls", "-q").lines) == 2


@pytest.mark.parametrize(
    "step", ["stop: said", "stop: ended", "remove: row", "remove: files", "volume: no row"]
)
def test_down_goes_on_after_a_kill(project: Project, pod: Engine, step: str) -> None:
    project("up", "-d")
    project("down", "--volumes", status=None, env={"POD_TEST_KILL_AT": step})
    project("down", "--volumes")
    assert project.containers() == {}
    assert pod("volume", "ls", "-q").lines == []
    assert "faulty_default" not in pod("network", "ls", "--format", "{{.Name}}").lines


def test_scale_goes_on_after_a_kill(project: Project) -> None:
    project("up", "-d")
    for count, step in ((3, "compose: container made"), (4, "launch: ordered"), (1, "remove: row")):
        project("scale", f"web={count}", status=None, env={"POD_TEST_KILL_AT": step})
        project("scale", f"web={count}")
        wanted = {f"faulty-web-{number}" for number in range(1, count + 1)}
        assert project.containers() == dict.fromkeys({*wanted, "faulty-db-1"}, "running"), step


def test_up_beside_down_leaves_what_the_next_up_can_use(project: Project, pod: Engine) -> None:
    project("up", "-d")
    words = ("compose", "-f", str(project.file))
    with (
        pod.spawn(*words, "down", "-t", "0") as down,
        pod.spawn(*words, "up", "-d") as up,
    ):
        for process in (down, up):
            process.communicate(timeout=60)
    project("up", "-d")
    assert project.is_whole()


def test_service_that_ends_at_once_or_is_never_healthy(project: Project) -> None:
    check = 'healthcheck: {test: [CMD-SHELL, "echo not yet; exit 1"], interval: 1s, retries: 1000}\n    '
    text = TEXT.replace(
        "depends_on", f"{check}depends_on"
    )  # without one, it is enough that it has been running
    project.write(text.replace('[sleep, "1000"]', "[sh, -c, 'echo cannot; exit 4']", 1))
    failed = project("up", "-d", "--wait", status=1)
    assert "container 'faulty-web-1' of service 'web' ended with status 4" in failed.stderr
    project.write(text)
    failed = project("up", "-d", "--wait", "--wait-timeout", "1", status=1)
    assert "after 1 s container 'faulty-web-1' is not healthy yet (starting)" in failed.stderr
    assert project.is_whole()


def test_two_at_once_make_one_project(project: Project, pod: Engine) -> None:
    words = ("compose", "-f", str(project.file), "up", "-d")
    with pod.spawn(*words) as one, pod.spawn(*words) as other:
        said = [process.communicate(timeout=60)[1] for process in (one, other)]
        assert (one.returncode, other.returncode) == (0, 0), said
    assert project.is_whole()


def test_projects_with_the_same_services_side_by_side(project: Project, tmp_path: Path) -> None:
    project("up", "-d")
    try:
        project("-p", "another", "up", "-d")
        assert project.is_whole()
        shown = project("ls", "--format", "json").json()
        assert {one["Name"]: one["Status"] for one in shown} == {
            "another": "running(2)",
            "faulty": "running(2)",
        }
    finally:
        project("-p", "another", "down", "-v", "-t", "0")
    assert project.is_whole()


def test_a_port_that_is_taken_leaves_the_rest(project: Project) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        project.write(TEXT.replace("depends_on: [db]", f'ports: ["127.0.0.1:{port}:80"]'))
        failed = project("up", "-d", status=125)
        assert "service 'web'" in failed.stderr and str(port) in failed.stderr
        assert project.containers()["faulty-db-1"] == "running"
    project.write(TEXT)
    project("up", "-d")
    assert project.is_whole()


def test_image_that_is_missing_is_said_before_anything_is_made(project: Project) -> None:
    project.write(TEXT.replace("image: busybox", "image: localhost/gone", 1))
    failed = project("up", "-d", "--pull", "never", status=125)
    assert "service 'web': image 'localhost/gone' is not here" in failed.stderr
    assert project.containers() == {}


def test_other_networks_and_containers_are_left_alone(project: Project, pod: Engine) -> None:
    pod("network", "create", "faulty_default")
    try:
        failed = project("up", "-d", status=125)
        assert (
            "network 'faulty_default' already, which belongs to nobody's project" in failed.stderr
        )
    finally:
        pod("network", "rm", "faulty_default")
    pod("create", "--name", "faulty-web-1", "busybox")
    failed = project("up", "-d", status=125)
    assert "faulty-web-1" in failed.stderr
    pod("rm", "faulty-web-1")


def test_down_needs_no_file(project: Project, tmp_path: Path) -> None:
    project("up", "-d")
    empty = tmp_path / "empty"
    empty.mkdir()
    project.pod("compose", "-p", project.name, "down", cwd=str(empty))
    assert project.containers() == {}


def test_explain_and_refusals(project: Project) -> None:
    project.write(TEXT + "x-mine: 1\n")
    text = project.file.read_text().replace(
        "depends_on: [db]", "mem_swappiness: 5\n    develop: {watch: []}"
    )
    project.file.write_text(text)
    shown = project("config", "--explain", status=125).out
    assert "refused" in shown and "services.web.mem_swappiness" in shown
    refused = project("up", "-d", status=125)
    assert ":9: 'services.web.mem_swappiness': it is not supported: " in refused.stderr
    assert project.containers() == {}
    project.file.write_text(text.replace("mem_swappiness: 5", "deploy: {endpoint_mode: vip}"))
    assert "'services.web.deploy.endpoint_mode' is ignored: " in project("create").stderr
    assert json.loads(project("config", "--format", "json").out)["name"] == "faulty"
