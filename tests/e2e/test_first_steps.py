"""FIRST_STEPS.md is true: its commands are typed again, and print what is there. So is the service of the README."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.support.engine import TREE, Engine
from tests.support.systemd import user_manager
from tests.support.waiting import free_port, until

PAGE = os.path.join(TREE, "FIRST_STEPS.md")
PORT = "8080"
_PROMPT = "    $ "
_INDENT = "    "

# What is another each time -> a word for it.
_VARIABLE = [
    (re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"Less than a second|About a minute|\d+ (second|minute)s?"), "SOME TIME"),
    (re.compile(r"[\d.]+ ?[kMG]?B\b"), "SIZE"),
    (re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d|\d\d/\w{3}/\d{4}:[\d:]+ [+-]\d{4}"), "WHEN"),
    (re.compile(r"nginx/[\d.]+|curl/[\d.]+"), "VERSION"),
    (re.compile(r" +"), " "),
]

# Where whoever reads the page has given something a moment before the next command: beginning of that -> what waits.
_WAITS = {
    "pod logs web": "until pod logs web | grep -q GET; do sleep 0.1; done",
    "pod run --rm --pod shop": "until pod exec shelf wget -q -O - localhost:8000; do sleep 0.1; done >/dev/null 2>&1",
}


def replay(page: str, directory: str, environment: dict[str, str], port: str) -> str:
    """The page with what its commands print now."""
    out = []
    in_transcript = False
    for line in page.splitlines():
        if line.startswith(_PROMPT):
            in_transcript = True
            out.append(line)
            command = line.removeprefix(_PROMPT).replace(PORT, port)
            waiting = [wait for start, wait in _WAITS.items() if command.startswith(start)]
            done = subprocess.run(
                ["sh", "-c", "; ".join([*waiting, command])],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=directory,
                env=environment,
                text=True,
                timeout=80,
                check=False,
            )
            printed = re.sub(rf"(?<![0-9a-f]){port}(?![0-9a-f])", PORT, done.stdout).splitlines()
            out += [f"{_INDENT}{text}".rstrip() for text in printed]
        elif in_transcript and line.startswith(_INDENT):
            continue
        else:
            in_transcript = False
            out.append(line)
    return "\n".join(out) + "\n"


def settled(page: str) -> list[str]:
    for pattern, word in _VARIABLE:
        page = pattern.sub(word, page)
    return page.splitlines()


@pytest.mark.not_podman("it prints other words")
def test_first_steps(fresh_pod: Engine, tmp_path: Path, update_golden: bool) -> None:
    assert fresh_pod.registry is not None
    for name in ("busybox", "nginx"):
        fresh_pod.registry.have(name)
    program = tmp_path / "bin" / "pod"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(fresh_pod.full_command())} "$@"\n')
    program.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **fresh_pod.environment,
        "PATH": f"{program.parent}:{fresh_pod.environment['PATH']}",
    }
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    now = replay(page, str(home), environment, str(free_port()))
    if update_golden:
        with open(os.environ.get("POD_TEST_FIRST_STEPS", PAGE), "w", encoding="utf-8") as file:
            file.write(now)
    assert settled(now) == settled(page)


@pytest.mark.not_podman("it has other commands")
def test_the_service_of_the_readme(pod: Engine, runtime_directory: str, tmp_path: Path) -> None:
    """The lines are typed as they stand there, but for the port, in a session without pod's generator."""
    pod.have("nginx")
    with open(os.path.join(TREE, "README.md"), encoding="utf-8") as file:
        section = file.read().split("## A service, from a file to running\n")[1].split("\n## ")[0]
    lines = [line[4:] for line in section.splitlines() if line.startswith(_INDENT)]
    *typed, last = lines
    assert last.startswith("systemctl --user status web && loginctl enable-linger")
    assert len(typed) == 10
    program = tmp_path / "bin" / "pod"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(pod.full_command())} "$@"\n')
    program.chmod(0o755)
    port = free_port()
    script = "\n".join([*typed, "systemctl --user status web"]).replace(PORT, str(port))
    with user_manager(pod, os.path.join(runtime_directory, "sd")) as systemd:
        environment = {**systemd.environment, "PATH": f"{program.parent}:{pod.environment['PATH']}"}
        done = subprocess.run(
            ["sh", "-e", "-c", script],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=80,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{systemd.log()}"
        assert "active (running)" in done.stdout
        until(lambda: answers(port), "nginx answers")
        assert "web.service" in systemd.show("default.target", "Wants").split()
        first = systemd.show("web", "MainPID")
        pod("kill", "systemd-web")
        until(lambda: systemd.show("web", "MainPID") not in {first, "0"}, "Restart=always")
        until(lambda: answers(port), "nginx answers again")
        systemd("stop", "web")
        pod("quadlet", "rm", "web.container", env=environment)
    pod("ps", "-a")  # deletes what systemd has not left the time for


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
