"""What is measured of `compose`, beside podman-compose with the peer: up, up again, ps, down of five services."""

from __future__ import annotations

import os
import shlex
import signal
import statistics
import subprocess
import time

from tests.bench.measuring import Case, CommandFailed, Measure, seconds_until_end, start_command
from tests.support.engine import Engine

SERVICES = 5
FILE = """\
services:
""" + "".join(
    f"""\
  s{number}:
    image: docker.io/library/busybox:latest
    command: [sleep, "86400"]
    environment:
      PLACE: "{number}"
    stop_signal: SIGKILL
"""
    for number in range(SERVICES)
)
WATCHED = """\
services:
  web:
    image: docker.io/library/busybox:latest
    command: [sleep, "86400"]
    stop_signal: SIGKILL
    develop:
      watch: [{action: sync, path: ./source, target: /source}]
"""
SAVES = 20


def directory(engine: Engine) -> str:
    return os.path.join(engine.environment["HOME"], "compose-project")


def prepare_compose(engine: Engine) -> None:
    """The file, and for the peer a program that calls it with its options, as podman-compose wants one."""
    path = directory(engine)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "compose.yaml"), "w") as file:
        file.write(FILE)
    if engine.kind == "podman":
        with open(os.path.join(path, "podman"), "w") as file:
            file.write(f'#!/bin/sh\nexec {shlex.join(engine.full_command())} "$@"\n')
        os.chmod(file.name, 0o755)


def command(engine: Engine, *words: str) -> list[str]:
    path = directory(engine)
    options = ["-f", os.path.join(path, "compose.yaml"), "-p", "bench"]
    if engine.kind == "podman":
        program = ["/usr/bin/podman-compose", "--podman-path", os.path.join(path, "podman")]
        return [*program, *options, *words]
    return engine.full_command("compose", *options, *words)


def called(engine: Engine, *words: str) -> float:
    return seconds_until_end(start_command(engine, command(engine, *words), quiet=True))


def whole_project(engine: Engine) -> dict[str, float]:
    """Up of five services on a network of the project, the same again, a list of them, and down."""
    found = {"compose-up": called(engine, "up", "-d")}
    found["compose-again"] = called(engine, "up", "-d")
    found["compose-ps"] = called(engine, "ps")
    found["compose-down"] = called(engine, "down")
    return found


def watch(engine: Engine) -> dict[str, float]:
    """From the saving of a file until the container has it, as it sees its own root."""
    path = directory(engine)
    os.makedirs(os.path.join(path, "source"), exist_ok=True)
    with open(os.path.join(path, "watched.yaml"), "w") as file:
        file.write(WATCHED)
    words = ("compose", "-p", "watched", "-f", file.name)
    took = []
    with engine.spawn(*words, "watch", stdout=subprocess.DEVNULL) as watcher:
        assert watcher.stderr is not None
        while b"Watching" not in (line := watcher.stderr.readline()):
            if not line:
                raise CommandFailed("`compose watch` has ended")
        pid = engine("inspect", "-f", "{{.State.Pid}}", "watched-web-1").out
        for number in range(SAVES):
            begun = time.perf_counter()
            with open(os.path.join(path, "source", "page"), "w") as file:
                file.write(f"{number}\n")
            while not has(f"/proc/{pid}/root/source/page", f"{number}\n"):
                if time.perf_counter() - begun > 60:
                    raise CommandFailed("a file was not there within a minute")
                time.sleep(0.001)
            took.append(time.perf_counter() - begun)
            watcher.stderr.readline()  # it has told so: the next save is one of its own
        watcher.send_signal(signal.SIGINT)
        watcher.communicate(timeout=60)
    engine(*words, "down")
    return {"compose-watch": statistics.median(took)}


def has(path: str, text: str) -> bool:
    try:
        with open(path) as file:
            return file.read() == text
    except OSError:
        return False


COMPOSE_CASES = (
    Case(
        {
            "compose-up": Measure(f"`compose up -d` of {SERVICES} services", 0.35),
            "compose-again": Measure("the same with nothing changed", 0.20),
            "compose-ps": Measure("`compose ps`", 0.40),
            "compose-down": Measure("`compose down`", 0.40),
        },
        whole_project,
        prepare=prepare_compose,
        slow=True,
    ),
    Case(
        {"compose-watch": Measure("a saved file is in the container, `compose watch`", 150, "ms")},
        watch,
        prepare=prepare_compose,
        alone=True,
    ),
)
