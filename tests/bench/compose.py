"""What is measured of `compose`, beside podman-compose with the peer: up, up again, ps, down of five services."""

from __future__ import annotations

import os
import shlex

from tests.bench.measuring import Case, Measure, seconds_until_end, start_command
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
)
