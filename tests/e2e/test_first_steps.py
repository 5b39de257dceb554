"""FIRST_STEPS.md is true: its commands are typed again, and print what stands below them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.engine import TREE, Engine
from tests.support.waiting import free_port

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
            printed = done.stdout.replace(port, PORT).splitlines()
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
