"""Containers that end while a command works with them: what it was, and what to type next, is what the command says."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pod.engine import wait
from pod.engine.context import Engine as Context
from pod.state import containers
from tests.support.chance import chance
from tests.support.engine import Engine, Result
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("its words are others, and it goes on with what has ended")

ENDED = "Error: container 'c' ended at this moment\nHint: type the command again\n"
NOT_RUNNING = r"Error: container 'c' is not running \(it is (exited|stopped)\)\nHint: pod start c\n"
JOINED = (
    r"Error: container '\w+' cannot be started: 'owner', whose namespaces it joins, ended at this moment\n"
    "Hint: type the command again, which starts it first\n"
)


def kinds(name: str) -> list[str]:
    return [f"--{kind}=container:{name}" for kind in ("pid", "ipc", "uts", "network", "cgroupns")]


@pytest.mark.parametrize("option", [*kinds("owner"), "--requires=owner"])
@pytest.mark.parametrize("network", [(), ("--network", "private"), ("--network", "bridge")])
def test_what_is_joined_is_started_first(
    pod: Engine, option: str, network: tuple[str, ...]
) -> None:
    """On whatever network it will be itself, of which the monitor that waits is told early."""
    pod("create", "--name", "owner", *network, "busybox", "sleep", "1000")
    words = () if option.startswith("--network") else network
    assert pod("run", "--rm", option, *words, "busybox", "echo", "up").out == "up"
    pod("rm", "-f", "-t", "0", "owner")


@pytest.mark.parametrize("option", [*kinds("owner")])
def test_what_is_joined_ends(pod: Engine, tmp_path: Path, option: str) -> None:
    """At each step of the start, of whoever takes it."""
    owner = ["run", "-d", "--name", "owner", "busybox", "sleep", "1000"]
    words = ["run", "--rm", option, "busybox", "true"]
    pod(*owner)
    steps = tmp_path / "steps"
    steps.touch()
    pod(*words, env={"POD_TEST_STEPS": str(steps)})
    count = len(steps.read_text().splitlines())
    assert count > 10

    def pid_of_owner() -> str:
        pod("start", "owner")  # which leaves one alone that is just ending
        found = pod("inspect", "-f", "{{.State.Pid}}", "owner").out
        return found if found != "0" else ""

    for at in chance(option).sample(range(1, count + 1), 5):
        steps.write_text("")
        pid = until(pid_of_owner, "the owner runs")
        environment = {"POD_TEST_KILL_AT": str(at), "POD_TEST_KILL_PID": pid}
        done = pod(*words, env={**environment, "POD_TEST_STEPS": str(steps)}, status=None)
        assert_said(done, JOINED, also=(0, 137))
    assert pod("ps", "-a", "--format", "{{.Names}}").lines == ["owner"]
    pod("rm", "-f", "-t", "0", "owner")


def test_what_is_joined_cannot_be_started(pod: Engine) -> None:
    """Then nobody ran: what was to join it is there as before its start, and goes where it was to go at its end."""
    pod("create", "--name", "owner", "busybox", "nosuchcommand")
    join = ("--network", "container:owner", "busybox", "sleep", "1000")
    for words in (("--name", "stays"), ("--rm",)):
        done = pod("run", "-d", *words, *join, status=127)
        assert done.stderr.startswith("Error: command 'nosuchcommand' was not found"), done
        assert "Warning" not in done.stderr
    assert pod("ps", "-a", "--format", "{{.Names}} {{.State}}").lines == [
        "owner created",
        "stays created",
    ]
    assert "nosuchcommand" in pod("inspect", "-f", "{{.State.Error}}", "stays").out
    pod("rm", "-f", "stays", "owner")


@pytest.mark.parametrize(
    "words",
    [
        ("exec", "c", "true"),
        ("exec", "-d", "c", "true"),
        ("exec", "-t", "c", "true"),
        ("top", "c", "pid", "user", "hgroup", "args"),
        ("cp", "c:/etc", "-"),
        ("pause", "c"),
        ("kill", "-s", "USR1", "c"),
        ("healthcheck", "run", "c"),
        ("network", "reload", "c"),
        ("attach", "--no-stdin", "c"),
    ],
    ids=" ".join,
)
def test_a_container_ends(pod: Engine, words: tuple[str, ...]) -> None:
    """At any moment."""
    moments = chance(" ".join(words))
    for _ in range(4):
        options = moments.choice([(), ("--init",), ("--pid", "host"), ("--userns", "keep-id")])
        lives = f"{moments.uniform(0, 0.1):.3f}"
        pod(
            "run", "-d", "--name", "c", "--network", "bridge", "--health-cmd", "true",
            "--health-interval", "disable", *options, "busybox", "sleep", lives,
        )  # fmt: skip
        done = pod(*words, status=None)
        # A health check whose command was killed has found the container unhealthy, which is 1.
        also = (0, 1, 137) if words[0] == "healthcheck" else (0, 137)
        assert_said(done, f"({re.escape(ENDED)}|{NOT_RUNNING})", also=also)
        pod("rm", "-f", "-t", "0", "c")


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "--size", "c"),
        ("ps", "-a", "-s"),
        ("system", "df", "-v"),
        ("diff", "c"),
        ("export", "-o", "/dev/null", "c"),
        ("network", "connect", "--alias", "x", "podman", "c"),
        ("generate", "systemd", "c"),
    ],
    ids=" ".join,
)
def test_a_container_is_removed(pod: Engine, words: tuple[str, ...]) -> None:
    """At any moment."""
    moments = chance(" ".join(words))
    for _ in range(4):
        pod("run", "--name", "c", "--network", "private", "-v", "/anonymous", "busybox", "true")
        script = f'sleep {moments.uniform(0, 0.15):.3f}; exec "$@"'
        removal = replace(pod, command=["/bin/sh", "-c", script, "sh", *pod.command])
        with removal.spawn("rm", "-v", "c") as removing:
            done = pod(*words, status=None)
            removing.communicate()
        allowed = r"Error: (no |container 'c' was made for no network).*\nHint: .*\n"
        assert_said(done, allowed, also=(0,))
        assert pod("ps", "-a", "-q").lines == []


def assert_said(done: Result, pattern: str, *, also: tuple[int, ...]) -> None:
    """It did what it was to do, or said why not."""
    if done.status not in also:
        assert done.status == 125, done
        assert re.fullmatch(pattern, done.stderr), done


def test_the_status_of_one_that_is_removed(pod: Engine) -> None:
    """Who has looked it up before it ended, and waits for it after that, finds no trace of it but the events."""
    pod("run", "-d", "--rm", "--name", "c", "--network", "none", "busybox", "sh", "-c",
        "trap 'exit 5' USR1; echo ready; while true; do sleep 0.05; done")  # fmt: skip
    until(lambda: pod("logs", "c").out == "ready", "ready")
    engine = Context(root=pod.root, runroot=pod.runroot)
    try:
        known = containers.find(engine.database, "c")
        pod("kill", "-s", "USR1", "c")
        until(lambda: not pod("ps", "-a", "-q").lines, "it is removed")
        assert wait.wait(engine, known) == 5
        assert wait.wait_for(engine, known, ["exited", "paused"], 0.1) == 5
        assert wait.wait_for_first(engine, [known], ["exited"], 0.1) == 5
    finally:
        engine.close()
