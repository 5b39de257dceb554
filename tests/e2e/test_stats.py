"""`pod stats`: what it counts, how it shows it, and containers that come and go meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.terminal import Terminal
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("the tests give it no cgroup, without which it counts nothing")

EATING = (
    "busybox",
    "sh",
    "-c",
    "x=$(head -c 20000000 /dev/zero | tr '\\0' x); echo ready; while true; do :; done",
)


def start(pod: Engine, name: str, *options: str) -> str:
    return pod(
        "run", "-d", "--network", "none", "--name", name, *options, "busybox", "sleep", "1d"
    ).out


@contextmanager
def streaming(pod: Engine, *arguments: str) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        pod.full_command("stats", "--interval", "1", *arguments),
        env=pod.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def shown(pod: Engine, *options: str) -> list[str]:
    return pod(*options, "stats", "--no-stream", "--format", "{{.Name}}").lines


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """What it prints, up to the first line with `text`."""
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return seen
    raise AssertionError(f"ended without {text!r}: {seen}")


@pytest.mark.parametrize("options", [[], ["--cgroups", "disabled"]], ids=["cgroup", "processes"])
def test_what_a_container_uses_is_counted(pod: Engine, options: list[str]) -> None:
    pod("run", "-d", "--network", "none", "--name", "eats", *options, *EATING)
    until(lambda: "ready" in pod("logs", "eats").stdout, "it to have eaten")
    form = "{{.MemLimit}} {{.CPUNano}} {{.PIDs}} {{.CPU}} {{.NetIO}} {{.Name}}"
    limit, nanoseconds, tasks, percent, *rest = pod(
        "stats", "--no-stream", "--format", form, "eats"
    ).out.split()
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert int(limit) == machine
    assert int(nanoseconds) > 10_000_000
    assert int(tasks) == 1
    assert float(percent) > 0
    assert rest == ["--", "/", "--", "eats"]
    (document,) = json.loads(pod("stats", "--no-stream", "--format", "json").out)
    assert 20 < float(document["mem_usage"].partition("MB")[0]) < 200
    assert sorted(document) == sorted(
        "id name cpu_time cpu_percent avg_cpu mem_usage mem_percent net_io block_io pids".split()
    )


def test_table_templates_and_those_that_do_not_run(pod: Engine) -> None:
    number = start(pod, "a")
    pod("create", "--name", "b", "busybox")
    heading, line = pod("stats", "--no-stream").lines
    assert heading.split() == (
        "ID NAME CPU % MEM USAGE / LIMIT MEM % NET IO BLOCK IO PIDS CPU TIME AVG CPU %".split()
    )
    assert line.split()[:2] == [number[:12], "a"]
    assert number in pod("stats", "--no-stream", "--no-trunc", "a").out
    assert "b" in pod("stats", "--no-stream", "--all", "--format", "{{.Name}}").lines
    assert (
        pod("stats", "--no-stream", "--format", "{{.PIDS}} {{.MemUsage}}", "b").out == "-- -- / --"
    )
    assert pod("stats", "--no-stream", "--latest", "--format", "{{.Name}}").out == "b"
    assert "nothing" in pod("stats", "--no-stream", "nothing", status=125).stderr
    assert "--latest" in pod("stats", "--no-stream", "--latest", "a", status=125).stderr


def test_a_network_of_its_own_is_counted(pod: Engine) -> None:
    pod("run", "-d", "--name", "web", "busybox", "sleep", "1d")
    pod("exec", "web", "ping", "-c", "1", "-w", "1", "192.0.2.1", status=None)
    sent = pod("stats", "--no-stream", "--format", "{{.NetOutput}}", "web").out
    assert int(sent) > 0


def test_containers_come_and_go_while_it_runs(pod: Engine) -> None:
    start(pod, "a")
    with streaming(pod, "--format", "{{.Name}}") as process:
        lines_until(process, "a")
        start(pod, "b")
        lines_until(process, "b")
        pod("rm", "-f", "-t", "0", "a")
        start(pod, "c")
        after = lines_until(process, "c")
        assert after[-2:] == ["b\n", "c\n"]


def test_it_ends_when_all_that_were_named_are_gone(pod: Engine) -> None:
    start(pod, "a")
    with streaming(pod, "a") as process:
        lines_until(process, " a ")
        pod("rm", "-f", "-t", "0", "a")
        assert process.wait(60) == 0


def test_the_screen_is_drawn_again_and_cut_to_its_size(pod: Engine) -> None:
    for name in ("a", "b", "c"):
        start(pod, name)
    command = pod.full_command("stats", "--interval", "1")
    with Terminal(command, pod.environment, rows=4, columns=30) as terminal:
        terminal.expect("... 2 more\x1b[K")
        terminal.expect("\x1b[H")
        shown = terminal.expect("... 2 more\x1b[K").splitlines()
        assert [len(line.removesuffix("\x1b[K")) for line in shown] == [30, 30]


def test_the_screen_is_left_as_it_is_with_no_reset(pod: Engine) -> None:
    start(pod, "a")
    command = pod.full_command("stats", "--interval", "1", "--no-reset", "--format", "<{{.Name}}>")
    with Terminal(command, pod.environment) as terminal:
        shown = terminal.expect("<a>") + terminal.expect("<a>")
        assert "\x1b" not in shown


def test_a_paused_container_uses_no_more_time(pod: Engine) -> None:
    pod("run", "-d", "--network", "none", "--name", "eats", *EATING)
    pod("pause", "eats")

    def used_ns() -> int:
        return int(pod("stats", "--no-stream", "--format", "{{.CPUNano}}", "eats").out)

    before = used_ns()
    assert used_ns() - before < 5_000_000


def test_without_the_database_it_shows_what_runs_the_oldest_first(pod: Engine) -> None:
    """The guard in test_startup.py sees to it that this is without the database."""
    pod("create", "--network", "none", "--name", "z", "busybox", "sleep", "1d")
    start(pod, "y")
    pod("pod", "create", "--network", "none", "--name", "together", "--infra-name", "inner")
    pod("pod", "start", "together")
    start(pod, "a")
    pod("create", "--name", "made", "busybox")
    assert shown(pod) == ["y", "inner", "a"]
    pod("start", "z")
    assert shown(pod) == ["z", "y", "inner", "a"]
    pod("stop", "-t", "0", "y")
    assert shown(pod) == ["z", "inner", "a"]
    pod("pod", "rm", "-f", "-t", "0", "together")


def test_a_new_name_is_shown_at_once_and_after_the_next_start(pod: Engine) -> None:
    start(pod, "a")
    start(pod, "b", "--restart", "always")
    pod("rename", "a", "first")
    assert shown(pod) == ["first", "b"]
    pod("rename", "b", "second")
    pod("restart", "-t", "0", "first", "second")
    assert shown(pod) == ["first", "second"]
    assert pod("system", "check").status == 0


def test_what_a_rename_that_was_killed_has_left_misleads_nobody(pod: Engine) -> None:
    number = start(pod, "a")
    env = {"POD_TEST_KILL_AT": "rename: marked"}
    pod("rename", "a", "other", env=env, status=-signal.SIGKILL)
    assert os.path.exists(os.path.join(pod.root, "containers", number, "renamed"))
    assert shown(pod) == ["a"]
    pod("rename", "a", "other")
    assert shown(pod) == ["other"]


@pytest.mark.parametrize(("command", "is_shown"), [("pause", True), ("init", False)], ids=str)
def test_one_that_does_not_simply_run_beside_one_that_does(
    pod: Engine, command: str, is_shown: bool
) -> None:
    start(pod, "a")
    if command == "init":
        pod("create", "--network", "none", "--name", "b", "busybox", "sleep", "1d")
    else:
        start(pod, "b")
    pod(command, "b")
    assert shown(pod) == (["a", "b"] if is_shown else ["a"])


def test_a_container_between_two_runs_is_shown_without_numbers(pod: Engine) -> None:
    start(pod, "a")
    pod("run", "-d", "--network", "none", "--name", "b", "--restart", "always", "busybox", "false")
    until(
        lambda: pod("inspect", "-f", "{{.State.Status}}", "b").out == "restarting", "a long pause"
    )
    assert shown(pod) == ["a", "b"]


def test_one_that_has_lost_its_monitor_is_recorded_as_ended(pod: Engine) -> None:
    start(pod, "a")
    start(pod, "b")
    monitor = int(pod("inspect", "-f", "{{.State.ConmonPid}}", "b").out)
    os.kill(monitor, signal.SIGKILL)
    until(lambda: shown(pod) == ["a"], "the end of the monitor")
    assert pod("ps", "-a", "--filter", "status=exited", "--format", "{{.Names}}").out == "b"


def test_containers_of_another_root_with_the_same_run_directory(
    pod: Engine, tmp_path: Path
) -> None:
    start(pod, "a")
    assert shown(pod, "--root", f"{tmp_path}/other") == []
    assert shown(pod) == ["a"]
