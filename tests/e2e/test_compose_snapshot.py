"""`pod compose snapshot`: the volumes of a project kept and put back, whenever a command is killed."""

from __future__ import annotations

import pytest

from tests.support.engine import Engine
from tests.support.projects import Files

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")

PROJECT = """
name: kept
services:
  db:
    image: busybox
    command: [sleep, "1000"]
    user: "1000:1001"
    stop_signal: SIGKILL
    volumes: ["data:/data", "logs:/logs", "memory:/memory"]
volumes:
  data: {labels: {a: b}}
  logs:
  memory: {driver_opts: {type: tmpfs, device: tmpfs}}
"""


def start(compose: Files, project: str) -> None:
    compose.write(PROJECT.replace("kept", project))
    compose("up", "-d")
    compose.pod("exec", "-u", "0", f"{project}-db-1", "chown", "1000:1001", "/data", "/logs")
    script = "echo one > /data/it; ln -s it /data/link; chmod 640 /data/it; echo one > /logs/it"
    run(compose, project, script)


def run(compose: Files, project: str, script: str) -> str:
    return compose.pod("exec", f"{project}-db-1", "sh", "-c", script).out


def test_a_snapshot_is_put_back_with_owners_and_all(compose: Files, pod: Engine) -> None:
    start(compose, "kept")
    error = compose("snapshot", "save", "a", status=125).stderr
    assert "container 'kept-db-1' has the volumes and is running" in error
    compose("pause")
    saved = compose("snapshot", "save", "a").stderr
    assert "volume 'kept_memory' is not kept: its files are in memory" in saved
    assert " Snapshot a  Saved" in saved
    compose("unpause")
    run(
        compose,
        "kept",
        "rm /data/link; echo two > /data/it; echo new > /data/new; echo 2 > /logs/it",
    )
    assert compose("snapshot", "ls", "-q").lines == ["a"]
    (listed,) = compose("snapshot", "ls", "--format", "json").json()
    assert listed["Name"] == "a" and listed["Volumes"] == "kept_data, kept_logs"

    assert "is running" in compose("snapshot", "restore", "a", status=125).stderr
    compose("pause")
    assert "is paused" in compose("snapshot", "restore", "a", status=125).stderr
    compose("stop")
    compose("snapshot", "restore", "a")
    compose("start")
    script = "cat /data/link /logs/it; ls /data; stat -c '%u:%g %a' /data /data/it"
    assert run(compose, "kept", script).splitlines() == [
        "one", "one", "it", "link", "1000:1001 755", "1000:1001 640",
    ]  # fmt: skip


def test_a_snapshot_outlives_its_project(compose: Files, pod: Engine) -> None:
    start(compose, "gone")
    compose("stop")
    compose("snapshot", "save", "a")
    error = compose("snapshot", "save", "a", status=125).stderr
    assert "project 'gone' has a snapshot 'a' already" in error
    compose("snapshot", "save", "--force", "a")
    compose("down", "-v")
    assert pod("volume", "ls", "-q").lines == []
    compose("snapshot", "restore", "a")
    assert pod("volume", "inspect", "--format", "{{.Labels.a}}", "gone_data").out == "b"
    compose("up", "-d")
    assert run(compose, "gone", "cat /data/link") == "one"
    compose("snapshot", "rm", "a")
    assert compose("snapshot", "ls", "-q").lines == []
    error = compose("snapshot", "rm", "a", "b", status=125).stderr
    assert "no snapshot 'a'" in error and "no snapshot 'b'" in error
    assert "no snapshot 'a'" in compose("snapshot", "restore", "a", status=125).stderr


@pytest.mark.parametrize("step", ["copied", "described"])
def test_a_save_that_is_killed_leaves_nothing(compose: Files, step: str) -> None:
    start(compose, step)
    compose("stop")
    compose("snapshot", "save", "old")
    kill = {"POD_TEST_KILL_AT": f"snapshot: {step}"}
    compose("snapshot", "save", "new", status=-9, env=kill)
    compose("snapshot", "save", "--force", "old", status=-9, env=kill)
    assert compose("snapshot", "ls", "-q").lines == ["old"]
    compose("snapshot", "restore", "old")
    compose("snapshot", "save", "new")
    assert compose("snapshot", "ls", "-q").lines == ["old", "new"]


@pytest.mark.parametrize("step", ["prepared", "one exchanged"])
def test_a_restore_that_is_killed_is_done_again(compose: Files, step: str) -> None:
    project = step.partition(" ")[0]
    start(compose, project)
    compose("stop")
    compose("snapshot", "save", "a")
    compose("start")
    run(compose, project, "echo two > /data/it; echo two > /logs/it")
    compose("stop")
    compose("snapshot", "restore", "a", status=-9, env={"POD_TEST_KILL_AT": f"snapshot: {step}"})
    if step == "one exchanged":
        for words in (("start",), ("up", "-d"), ("snapshot", "save", "b")):
            error = compose(*words, status=125).stderr
            assert "only a part of the volumes of project 'one' was restored" in error
            assert "Hint: pod compose snapshot restore a" in error
    else:
        compose("start")
        assert run(compose, project, "cat /data/it /logs/it").split() == ["two", "two"]
        compose("stop")
    compose("snapshot", "restore", "a")
    compose("start")
    assert run(compose, project, "cat /data/it /logs/it").split() == ["one", "one"]
