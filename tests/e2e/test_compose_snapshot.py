"""`pod compose snapshot`: the volumes of a project kept and put back, whenever a command is killed."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.fixtures import engine_of_its_own
from tests.support.projects import Files
from tests.support.registry import Registry

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


@pytest.fixture
def sharing(registry: Registry, runtime_directory: str) -> Generator[Engine]:
    """The program under test with its root on a file system whose files can share blocks."""
    place = os.environ.get("POD_TEST_REFLINKS")
    if not place:
        pytest.skip("allowed: no file system with reflinks is mounted; ./check has root mount one")
    with engine_of_its_own(place, runtime_directory, registry) as engine:
        engine.have("busybox")
        yield engine


def test_a_snapshot_shares_its_blocks(sharing: Engine, tmp_path: Path) -> None:
    compose = Files(sharing, tmp_path)
    compose.write(PROJECT.replace("kept", "shared"))
    compose("up", "-d")
    megabytes = 60
    script = f"dd if=/dev/urandom of=/data/big bs=1M count={megabytes} 2>/dev/null; sync"
    sharing("exec", "-u", "0", "shared-db-1", "sh", "-c", script)
    compose("stop")

    def used() -> int:
        os.sync()
        status = os.statvfs(sharing.root)
        return (status.f_blocks - status.f_bfree) * status.f_frsize >> 20

    before = used()
    assert before > megabytes
    compose("snapshot", "save", "a")
    assert used() < before + megabytes // 2
    compose("snapshot", "restore", "a")
    assert used() < before + megabytes // 2
    compose("start")
    assert run(compose, "shared", "stat -c %s /data/big") == str(megabytes << 20)
    compose("snapshot", "rm", "a")
    compose("down", "-v", "-t", "0")


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
