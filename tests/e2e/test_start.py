"""`pod create`, `pod start`, `pod attach`, `pod wait`: a container's life in steps."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.connections import has_connection, is_attached
from tests.support.engine import Engine
from tests.support.terminal import Terminal
from tests.support.waiting import until


def state(pod: Engine, name: str) -> str:
    return pod("inspect", "-f", "{{.State.Status}}", name).out


# create


def test_create_starts_nothing(pod: Engine, tmp_path: Path) -> None:
    cid = tmp_path / "cid"
    number = pod("create", "--name", "c", "--cidfile", str(cid), "busybox", "true").out
    assert len(number) == 64 and cid.read_text() == number
    assert state(pod, "c") == "created"
    assert pod("ps", "-q").out == ""


def test_create_makes_volumes_and_checks_sources(pod: Engine) -> None:
    pod("create", "-v", "made:/v", "busybox")
    assert pod("volume", "ls", "-q").out == "made"
    assert "/no/such/dir" in pod("create", "-v", "/no/such/dir:/x", "busybox", status=125).stderr
    assert len(pod("ps", "-a", "-q").lines) == 1


def test_create_of_an_image_that_is_not_here(pod: Engine) -> None:
    pod("create", "--pull", "never", "localhost/no/such:one", status=125)
    pod("create", status=125)
    pod("create", "--bogus", "busybox", status=125)


# start


def test_start_in_the_background_prints_what_was_typed(pod: Engine) -> None:
    pod("create", "--network", "none", "--name", "s", "busybox", "sleep", "1000")
    assert pod("start", "s").out == "s"
    assert state(pod, "s") == "running"
    pod("start", "s")  # it runs already
    pod("rm", "-f", "-t", "0", "s")


def test_start_attached_gives_output_and_status(pod: Engine) -> None:
    pod(
        "create",
        "--network",
        "none",
        "--name",
        "s",
        "busybox",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 6",
    )
    for _ in range(2):
        result = pod("start", "--attach", "s", status=6)
        assert (result.stdout, result.stderr) == ("out\n", "err\n")


def test_start_interactive_passes_input_on(pod: Engine) -> None:
    pod("create", "-i", "--network", "none", "--name", "s", "busybox", "cat")
    assert pod("start", "-a", "-i", "s", stdin="typed").stdout == "typed"


def test_start_keeps_what_was_written(pod: Engine) -> None:
    pod(
        "create",
        "--network",
        "none",
        "--name",
        "s",
        "busybox",
        "sh",
        "-c",
        "echo x >> /count; wc -l < /count",
    )
    assert pod("start", "-a", "s").out == "1"
    assert pod("start", "-a", "s").out == "2"


def test_start_fails_as_the_command_does(pod: Engine) -> None:
    pod("create", "--network", "none", "--name", "s", "busybox", "nosuchcommand")
    result = pod("start", "s", status=None)
    assert result.status in (125, 127) and "nosuchcommand" in result.stderr
    pod("start", "no-such-one", status=125)
    pod("start", status=125)


def test_start_all_and_filter(pod: Engine) -> None:
    for name in ("a", "b"):
        pod(
            "create",
            "--network",
            "none",
            "--name",
            name,
            "-l",
            f"is={name}",
            "busybox",
            "sleep",
            "1000",
        )
    pod("start", "--filter", "label=is=b")
    assert pod("ps", "--format", "{{.Names}}").out == "b"
    pod("start", "--all")
    assert sorted(pod("ps", "--format", "{{.Names}}").lines) == ["a", "b"]
    pod("rm", "-f", "-a", "-t", "0")


def test_start_attached_takes_one_container(pod: Engine) -> None:
    for name in ("a", "b"):
        pod("create", "--name", name, "busybox")
    pod("start", "-a", "a", "b", status=125)


# attach


@pytest.mark.not_podman("4.3 ends attach with 0, whatever the container ended with")
def test_attach_shows_output_and_gives_the_status(pod: Engine) -> None:
    script = "while [ ! -e /go ]; do sleep 0.05; done; echo seen; exit 4"
    pod("run", "-d", "--network", "none", "--name", "a", "busybox", "sh", "-c", script)
    with pod.spawn("attach", "a") as process:
        until(lambda: is_attached(process.pid), "attached")
        pod("exec", "a", "touch", "/go", status=None)  # the container may end before `touch`
        assert process.stdout is not None and process.stdout.read() == b"seen\n"
        assert process.wait(timeout=60) == 4


@pytest.mark.not_podman("4.3 ends attach with 0, whatever the container ended with")
def test_attach_passes_input_on(pod: Engine) -> None:
    script = "echo ready; read line; echo got $line; exit 8"
    pod("run", "-d", "-i", "--network", "none", "--name", "a", "busybox", "sh", "-c", script)
    until(lambda: "ready" in pod("logs", "a").stdout, "being ready")
    with pod.spawn("attach", "a") as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.stdout.read() == b"got hello\n"
        assert process.wait(timeout=60) == 8


@pytest.mark.not_podman("its outer process passes on SIGTERM alone, and then ends with 0")
def test_attach_passes_signals_on(pod: Engine) -> None:
    script = "trap 'exit 8' TERM; while true; do echo ready; sleep 0.1; done"
    pod("run", "-d", "--network", "none", "--name", "a", "busybox", "sh", "-c", script)
    with pod.spawn("attach", "a") as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 8


def test_attach_needs_a_running_container(pod: Engine) -> None:
    pod("create", "--name", "c", "busybox")
    assert "running" in pod("attach", "c", status=125).stderr
    pod("attach", "no-such-one", status=125)


# With a terminal


def test_run_with_a_terminal(pod: Engine) -> None:
    words = ("run", "--rm", "-it", "--network", "none", "--name", "t", "busybox", "sh")
    command = pod.full_command(*words)
    with Terminal(command, pod.environment, rows=31, columns=97) as terminal:
        terminal.expect("#")
        terminal.type("tty; stty size\r")
        terminal.expect("/dev/pts/0")
        terminal.expect("31 97")
        terminal.resize(41, 103)
        terminal.expect_size(41, 103)
        terminal.type("sleep 1000\r")
        until(lambda: "sleep 1000" in pod("top", "t", "args").stdout, "sleeping")
        terminal.type("\x03")
        terminal.type("echo status $?\r")
        terminal.expect("status 130")
        terminal.type("exit 9\r")
        assert terminal.wait() == 9
    assert pod("ps", "-a", "-q").out == ""


@pytest.mark.not_podman("it looks for each of the keys in a read of its own")
def test_detach_and_attach_again(pod: Engine) -> None:
    command = pod.full_command("run", "-it", "--network", "none", "--name", "t", "busybox", "sh")
    with Terminal(command, pod.environment) as terminal:
        terminal.expect("#")
        terminal.type("mine=42\r")
        terminal.expect("#")
        terminal.type("\x10\x11")
        assert terminal.wait() == 0
    assert state(pod, "t") == "running"
    with Terminal(pod.full_command("attach", "t"), pod.environment) as terminal:
        terminal.type("\recho mine is $mine\r")
        terminal.expect("mine is 42")
        terminal.type("exit 5\r")
        assert terminal.wait() == 5
    assert state(pod, "t") == "exited"


def test_terminal_of_a_container_outlives_the_callers(pod: Engine) -> None:
    command = pod.full_command("run", "-it", "--network", "none", "--name", "t", "busybox", "sh")
    with Terminal(command, pod.environment) as terminal:
        terminal.expect("#")  # and leaving the block kills the command
    assert state(pod, "t") == "running"
    pod("rm", "-f", "-t", "0", "t")


def test_terminal_without_one_of_ones_own(pod: Engine) -> None:
    result = pod("run", "--rm", "-t", "--network", "none", "busybox", "tty")
    assert result.out == "/dev/pts/0"


# wait


@pytest.mark.parametrize("status", [0, 5])
def test_wait_prints_the_status(pod: Engine, status: int) -> None:
    pod(
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "w",
        "busybox",
        "sh",
        "-c",
        f"sleep 0.3; exit {status}",
    )
    assert pod("wait", "w").out == str(status)
    if pod.kind != "podman":  # 4.3 forgets exit statuses
        assert pod("wait", "w").out == str(status)


def test_wait_for_several(pod: Engine) -> None:
    for status in (3, 4):
        pod(
            "run",
            "-d",
            "--network",
            "none",
            "--name",
            f"w{status}",
            "busybox",
            "sh",
            "-c",
            f"sleep 0.3; exit {status}",
        )
    assert pod("wait", "w3", "w4").lines == ["3", "4"]


def test_wait_for_a_condition(pod: Engine) -> None:
    pod("run", "-d", "--network", "none", "--name", "w", "busybox", "sleep", "1000")
    assert pod("wait", "--condition", "running", "--interval", "10ms", "w").out == "-1"
    with pod.spawn("wait", "--condition", "exited", "w") as process:
        pod("kill", "w")
        assert process.communicate(timeout=60)[0] == b"137\n"
    assert "nonsense" in pod("wait", "--condition", "nonsense", "w", status=125).stderr
    assert pod("wait", "--interval", "often", "w", status=125).stdout == ""


def test_wait_for_what_does_not_exist(pod: Engine) -> None:
    pod("wait", "no-such-one", status=125)
    pod("wait", status=125)
    if pod.kind != "podman":
        assert pod("wait", "--ignore", "no-such-one").out == "-1"


@pytest.mark.not_podman("it cannot be seen whether it waits")
def test_wait_for_a_container_that_removes_itself(pod: Engine) -> None:
    script = "until test -e /go; do sleep 0.05; done; exit 6"
    words = ("--network", "none", "--name", "w", "busybox", "sh", "-c", script)
    pod("run", "-d", "--rm", *words)
    with pod.spawn("wait", "w") as waiting:
        until(lambda: has_connection(waiting.pid), "waiting")
        pod("exec", "w", "touch", "/go", status=None)
        assert waiting.communicate(timeout=60)[0] == b"6\n"
