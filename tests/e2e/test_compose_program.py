"""pod as `docker-compose`: files and command lines of its version 1."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.projects import Files

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")

OLD = """
version: "2.4"
services:
  web:
    image: busybox
    command: sh -c 'echo $$(hostname) && exec sleep 1000'
    links: [db:database]
    stop_signal: SIGKILL
    mem_limit: 64m
  db:
    image: busybox
    command: [sleep, "1000"]
    scale: 2
    stop_signal: SIGKILL
"""


def test_a_link_of_that_name_is_compose(compose: Files, pod: Engine, tmp_path: Path) -> None:
    compose.write(OLD, "compose.old.yaml")
    program = tmp_path / "docker-compose"
    program.symlink_to(os.path.abspath(pod.command[0]))

    def run(*words: str) -> str:
        command = [str(program), *pod.options, "-p", "old", "-f", "compose.old.yaml", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=pod.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("up", "-d")
    assert run("ps", "--services").split() == ["db", "web"]
    assert len(run("ps", "-q", "db").split()) == 2
    assert "database" in run("exec", "-T", "web", "cat", "/etc/hosts")
    assert "Usage" in run("help", "up")
    assert "version" in run("--version")
    run("down", "-t", "0")
    assert run("ps", "-a", "-q") == ""
