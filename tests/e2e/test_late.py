"""Processes that come to a step later than the others expect: what works does not depend on who is quicker.

The steps have names (pod/base/faults.py). Here they go by number, among all that a row of commands takes.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.chance import chance
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine
from tests.support.waiting import free_port, until_http

pytestmark = pytest.mark.not_podman("its steps have no names at which it could be late")

NETWORKS = ["private", "slirp4netns", "bridge"]
LATE_SECONDS = "0.3"
COUNT = int(os.environ.get("POD_TEST_LATE_STEPS", "4"))  # of each row, by chance; all take minutes

SERVER = ("busybox", "sh", "-c", "echo web >/tmp/index.html; exec httpd -f -p 80 -h /tmp")
ROWS = {
    **{
        network: [
            ("run", "-d", "--name", "a", "--network", network, "-p", "PORT:80", *SERVER),
            ("exec", "a", "true"),
            ("stop", "-t", "0", "a"),
            ("start", "a"),
            ("restart", "-t", "0", "a"),
            ("rm", "-f", "-t", "0", "a"),
            ("run", "--rm", "--network", network, "busybox", "true"),
        ]
        for network in NETWORKS
    },
    "pod": [
        ("pod", "create", "--name", "p", "-p", "PORT:80"),
        ("run", "-d", "--pod", "p", "--name", "a", *SERVER),
        ("run", "--rm", "--pod", "p", "busybox", "true"),
        ("pod", "stop", "-t", "0", "p"),
        ("pod", "start", "p"),
        ("pod", "rm", "-f", "-t", "0", "p"),
    ],
    "two networks": [
        ("network", "create", "n"),
        ("create", "--name", "a", "--network", "n", "-p", "PORT:80", *SERVER),
        ("network", "connect", "podman", "a"),
        ("start", "a"),
        ("network", "disconnect", "podman", "a"),
        ("network", "connect", "podman", "a"),
        ("run", "--rm", "--network", "n", "busybox", "wget", "-qO", "-", "a"),
        ("rm", "-f", "-t", "0", "a"),
        ("network", "rm", "n"),
    ],
    "maps": [
        ("run", "-d", "--name", "a", "--userns", "keep-id", "-v", "v:/v", "busybox", "sleep", "1000"),
        ("run", "--rm", "--network", "container:a", "--pid", "container:a", "busybox", "true"),
        ("kill", "a"),
        ("wait", "a"),
        ("commit", "-q", "a", "late"),
        ("run", "--rm", "--userns", "auto", "--read-only", "--init", "late", "true"),
        ("rm", "-f", "-v", "a"),
        ("volume", "rm", "v"),
        ("rmi", "late"),
    ],
}  # fmt: skip
PUBLISHED = [*NETWORKS, "pod", "two networks"]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_namespace_that_takes_its_time(pod: Engine, network: str) -> None:
    """The kernel ends others first, and helpers that came before it was there found that of the host."""
    late = {"POD_TEST_KILL_AT": "init: before its network", "POD_TEST_LATE_SECONDS": LATE_SECONDS}
    port = free_port()
    pod("run", "-d", "--name", "a", "--network", network, "-p", f"{port}:80", *SERVER, env=late)
    assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
    pod("rm", "-f", "-t", "0", "a")


@pytest.mark.timeout(60 * (1 + COUNT))
@pytest.mark.parametrize("row", ROWS)
def test_any_step_may_be_late(pod: Engine, tmp_path: Path, row: str) -> None:
    steps = tmp_path / "steps"

    def play(at: int) -> int:
        steps.write_text("")
        environment = {
            "POD_TEST_STEPS": str(steps),
            "POD_TEST_KILL_AT": str(at),
            "POD_TEST_LATE_SECONDS": LATE_SECONDS,
        }
        port = free_port()
        for words in ROWS[row]:
            pod(*(word.replace("PORT", str(port)) for word in words), env=environment)
            if {"start", "restart"} & set(words[:2]) and row in PUBLISHED:
                assert until_http(f"http://127.0.0.1:{port}/") == "web\n"
        return len(steps.read_text().splitlines())

    count = play(0)
    assert count > 20
    for at in chance(row).sample(range(1, count + 1), min(COUNT, count)):
        play(at)
        nothing_wrong(pod, max_age="24h", after=f"step {at} of {steps.read_text()}")
