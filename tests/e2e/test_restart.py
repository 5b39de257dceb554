"""Restart policies: which ends count, how the waits grow, and how stop, kill and rm end them."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path

import pytest

from tests.support.connections import has_connection, is_attached
from tests.support.engine import Engine
from tests.support.waiting import free_port, until, until_http

SHRINKS_AT_ONCE = {"POD_TEST_SHRINK_SECONDS": "0.05"}


def start(pod: Engine, policy: str, script: str, *options: str, **more: dict[str, str]) -> None:
    pod("run", "-d", "--network", "none", "--name", "c", "--restart", policy, *options, "busybox",
        "sh", "-c", script, **more)  # type: ignore[arg-type]  # fmt: skip


def state(pod: Engine, field: str = "Status") -> str:
    return pod("inspect", "-f", f"{{{{.State.{field}}}}}", "c").out


def restarts(pod: Engine) -> int:
    return int(pod("inspect", "-f", "{{.RestartCount}}", "c").out)


def monitor(pod: Engine) -> int:
    return int(state(pod, "ConmonPid"))


def test_always_starts_again_whatever_the_status(pod: Engine) -> None:
    start(pod, "always", "echo run; exit 0")
    until(lambda: restarts(pod) >= 2, "restarted")
    assert len(pod("logs", "c").lines) >= 2
    pod("rm", "-f", "-t", "0", "c")


@pytest.mark.parametrize("status", [0, 3])
def test_on_failure_looks_at_the_status(pod: Engine, status: int) -> None:
    start(pod, "on-failure:2", f"echo run; exit {status}")
    assert pod("wait", "c").out == str(status)
    assert pod("logs", "c").lines == ["run"] * (3 if status else 1)
    assert restarts(pod) == (2 if status else 0)


@pytest.mark.not_podman("it starts again at once")
def test_waits_are_doubled(pod: Engine) -> None:
    """0.1, 0.2, 0.4 seconds at least, by the container's own clock."""
    start(pod, "on-failure:3", "cut -d ' ' -f 1 /proc/uptime; exit 1")
    pod("wait", "c")
    times = [float(line) for line in pod("logs", "c").lines]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert [wait >= least for wait, least in zip(waits, (0.09, 0.19, 0.39), strict=True)] == [
        True
    ] * 3


@pytest.mark.not_podman("it shows no such state")
def test_between_two_runs_it_is_restarting(pod: Engine) -> None:
    start(pod, "always", "exit 1")
    until(lambda: state(pod) == "restarting", "restarting")
    assert pod("ps", "-a", "--format", "{{.State}}").out in {"restarting", "running"}
    assert pod("wait", "--condition", "restarting", "c").out == "-1"
    pod("rm", "-f", "-t", "0", "c")


@pytest.mark.parametrize("policy", ["always", "unless-stopped", "on-failure"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_who_ends_it_ends_the_policy(pod: Engine, policy: str, how: str) -> None:
    start(pod, policy, "trap 'exit 3' TERM; echo ready; while true; do sleep 0.05; done")
    until(lambda: "ready" in pod("logs", "c").stdout, "ready")
    pod(how, "c")
    assert pod("wait", "c").out == ("3" if how == "stop" else "137")
    assert restarts(pod) == 0
    pod("start", "c")  # the policy holds again, for the next run
    assert state(pod) == "running"
    pod("rm", "-f", "-t", "0", "c")


def test_a_signal_that_is_not_the_users_does_not_end_the_policy(pod: Engine) -> None:
    start(pod, "always", "echo run; sleep 1000")
    os.kill(int(state(pod, "Pid")), signal.SIGKILL)
    until(lambda: restarts(pod) == 1 and state(pod) == "running", "restarted")
    pod("rm", "-f", "-t", "0", "c")


@pytest.mark.not_podman("4.3 may start it again after the stop")
def test_stop_while_it_starts_and_ends_all_the_time(pod: Engine) -> None:
    """Whatever the monitor is doing at that moment, stop ends it, and the container stays stopped."""
    pod("create", "--network", "none", "--name", "c", "--restart", "always", "busybox",
        "sh", "-c", "sleep 0.05; exit 1")  # fmt: skip
    for _ in range(5):
        pod("start", "c")
        until(lambda: restarts(pod) >= 1, "restarting")
        pod("stop", "-t", "100", "c")
        assert state(pod) == "exited"


@pytest.mark.not_podman("its monitor does not start containers")
def test_what_cannot_be_started_again_ends_with_the_reason(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "go").mkdir()
    start(pod, "always", "while [ ! -e /data/file ]; do sleep 0.02; done; exit 4",
          "-v", f"{tmp_path}/go:/data")  # fmt: skip
    (tmp_path / "go").rename(tmp_path / "gone")
    (tmp_path / "gone" / "file").touch()
    pod("wait", "c")
    assert state(pod) == "exited"
    assert f"{tmp_path}/go" in state(pod, "Error")


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(
            ("stop", "-t", "0"),
            marks=pytest.mark.not_podman("what it stops may just be starting again"),
        ),
        pytest.param(("kill",), marks=pytest.mark.not_podman("it kills only what runs")),
        ("rm", "-f", "-t", "0"),
    ],
)
def test_commands_during_the_wait(pod: Engine, how: tuple[str, ...]) -> None:
    start(pod, "always", "exit 1")
    until(lambda: restarts(pod) >= 3, "waiting for longer")
    pod(*how, "c")
    if how[0] == "kill":
        pod("wait", "c")
    assert pod("ps", "-q").out == ""


def test_ports_are_published_again(pod: Engine) -> None:
    port = free_port()
    pod("run", "-d", "--name", "c", "--restart", "always", "-p", f"{port}:80", "busybox", "sh", "-c",
        "echo hello > /tmp/index.html; httpd -f -p 80 -h /tmp")  # fmt: skip
    for _ in range(2):
        assert until_http(f"http://127.0.0.1:{port}/") == "hello\n"
        before = restarts(pod)
        os.kill(int(state(pod, "Pid")), signal.SIGKILL)
        until(lambda before=before: restarts(pod) > before, "restarted")  # type: ignore[misc]
    assert until_http(f"http://127.0.0.1:{port}/") == "hello\n"
    pod("rm", "-f", "-t", "0", "c")


@pytest.mark.not_podman("its attach ends with the first run")
def test_following_and_attaching_go_on_over_restarts(pod: Engine) -> None:
    start(pod, "on-failure:2", "while [ ! -e /go ]; do sleep 0.02; done; echo run; exit 5")
    with pod.spawn("logs", "-f", "c") as follower, pod.spawn("attach", "c") as attached:
        until(lambda: has_connection(follower.pid) and is_attached(attached.pid), "connected")
        until(lambda: pod("exec", "c", "touch", "/go", status=None).status in {0, 137}, "let go")
        assert follower.communicate(timeout=30)[0] == b"run\n" * 3
        assert attached.communicate(timeout=30)[0] == b"run\n" * 3
        assert attached.returncode == 5
    assert pod("logs", "c").lines == ["run"] * 3


# The monitor in its smaller form


@pytest.mark.not_podman("its monitor has one form")
@pytest.mark.parametrize("driver", ["k8s-file", "json-file", "none", "passthrough"])
def test_a_settled_monitor_restarts_too(pod: Engine, driver: str, tmp_path: Path) -> None:
    script = "echo begin; while [ ! -e /tmp/go ]; do sleep 0.02; done; echo end; exit 1"
    out = tmp_path / "out"
    with open(out, "wb") as file:
        words = ("run", "-d", "--network", "none", "--name", "c", "--restart", "on-failure:1",
                 "--log-driver", driver, "--tmpfs", "/tmp", "busybox", "sh", "-c", script)  # fmt: skip
        with pod.spawn(*words, stdout=file, env=SHRINKS_AT_ONCE) as command:
            assert command.wait(30) == 0
    for _ in range(2):
        until(lambda: is_small(monitor(pod)), "smaller")
        until(lambda: state(pod) == "running", "running")
        before = restarts(pod)
        result = pod("exec", "c", "touch", "/tmp/go", status=None)
        assert result.status in {0, 137}, result  # the container may end before `touch` does
        until(lambda before=before: state(pod) == "exited" or restarts(pod) > before, "over")  # type: ignore[misc]
    assert pod("wait", "c").out == "1"
    if driver in {"k8s-file", "json-file"}:
        assert pod("logs", "c").lines == ["begin", "end"] * 2
    elif driver == "passthrough":
        assert out.read_text().split().count("end") == 2


def is_small(pid: int) -> bool:
    """Whether the monitor goes on in a program of its own; False for one that has ended, 0 for none."""
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return "pod.monitor.resume" in file.read()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.not_podman("its monitor has one form")
@pytest.mark.parametrize("driver", ["k8s-file", "json-file"])
def test_nothing_is_lost_while_a_monitor_becomes_smaller(pod: Engine, driver: str) -> None:
    """Clients, input and output that comes all the time; a time-out that was set before."""
    script = "i=0; while read line; do echo $line; echo $line >&2; done; exit 3"
    words = ("run", "-i", "--network", "none", "--name", "c", "--timeout", "60", "--log-driver",
             driver, "busybox", "sh", "-c", script)  # fmt: skip
    with pod.spawn(*words, env=SHRINKS_AT_ONCE) as command:
        assert command.stdin is not None and command.stdout is not None
        until(lambda: pod.containers() and state(pod) == "running", "running")
        number, watcher = 0, monitor(pod)
        while not is_small(watcher) or number < 500:
            number += 1
            command.stdin.write(b"%d\n" % number)
            command.stdin.flush()
            assert command.stdout.readline() == b"%d\n" % number
        with pod.spawn("attach", "--no-stdin", "c") as second:
            command.stdin.close()
            command.stdin = None
            out, err = command.communicate(timeout=30)
            second.communicate(timeout=30)
        assert (out, command.returncode) == (b"", 3)
    lines = [str(n) for n in range(1, number + 1)]
    assert err.decode().splitlines() == lines
    result = pod("logs", "c")
    assert result.lines == lines and result.stderr.splitlines() == lines


@pytest.mark.not_podman("its monitor has one form")
def test_a_timeout_holds_in_a_smaller_monitor(pod: Engine) -> None:
    pod("run", "-d", "--network", "none", "--name", "c", "--timeout", "2", "busybox", "sleep", "1000",
        env=SHRINKS_AT_ONCE)  # fmt: skip
    until(lambda: state(pod) == "exited" or is_small(monitor(pod)), "smaller")
    assert pod("wait", "c").out == "137"


@pytest.mark.not_podman("its monitor has one form")
def test_a_terminal_stays_while_the_monitor_becomes_smaller(pod: Engine) -> None:
    from tests.support.terminal import Terminal

    words = ("run", "-it", "--network", "none", "--name", "c", "busybox", "sh")
    environment = {**pod.environment, **SHRINKS_AT_ONCE}
    with Terminal(pod.full_command(*words), environment, rows=33, columns=99) as terminal:
        terminal.expect("#")
        until(lambda: is_small(monitor(pod)), "smaller")
        terminal.resize(44, 111)
        terminal.expect_size(44, 111)
        terminal.type("exit 7\r")
        assert terminal.wait() == 7
