"""`pod exec`: the command in the container, its streams, its status, its terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.terminal import Terminal
from tests.support.waiting import until


@pytest.fixture
def box(pod: Engine) -> Generator[Engine]:
    """A running container "box" with a variable and a working directory of its own."""
    pod(
        "run", "-d", "--network", "none", "--name", "box", "-e", "OWN=1", "-w", "/tmp", "busybox", "sleep", "1000",
    )  # fmt: skip
    yield pod
    pod("rm", "-f", "-t", "0", "box")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 9"], 9),
        pytest.param(["sh", "-c", "kill -9 $$"], 137, id="killed"),
        (["nosuchcommand"], 127),
        (["/etc"], 126),
    ],
)
def test_status(box: Engine, command: list[str], status: int) -> None:
    box("exec", "box", *command, status=status)


def test_environment_directory_user(box: Engine, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("FILE=1\n")
    out = box(
        "exec", "-e", "A=2", "--env-file", str(file), "-u", "1000:7", "-w", "/etc", "box",
        "sh", "-c", "echo $OWN $A $FILE $(id -u) $(id -g) $PWD",
    ).out  # fmt: skip
    assert out == "1 2 1 1000 7 /etc"
    assert box("exec", "box", "pwd").out == "/tmp"


def test_streams(box: Engine) -> None:
    result = box("exec", "box", "sh", "-c", "echo out; echo err >&2")
    assert (result.stdout, result.stderr) == ("out\n", "err\n")
    assert box("exec", "-i", "box", "cat", stdin="hello").stdout == "hello"
    assert box("exec", "box", "cat", stdin="hello").stdout == ""


def test_much_data_passes_both_ways(box: Engine) -> None:
    data = os.urandom(3_000_000)
    with box.spawn("exec", "-i", "box", "cat") as process:
        out, _ = process.communicate(data, timeout=60)
    assert out == data


def test_same_namespaces_as_the_container(box: Engine) -> None:
    script = "for n in pid net uts ipc mnt; do readlink /proc/self/ns/$n; done; hostname"
    assert box("exec", "box", "sh", "-c", script).lines[:-1] == [
        box("exec", "box", "readlink", f"/proc/1/ns/{kind}").out
        for kind in ("pid", "net", "uts", "ipc", "mnt")
    ]


def test_privileged_has_more_capabilities(box: Engine) -> None:
    words = ("box", "grep", "CapEff", "/proc/self/status")
    usual = int(box("exec", *words).out.split()[1], 16)
    assert int(box("exec", "--privileged", *words).out.split()[1], 16) > usual


def test_detached(box: Engine) -> None:
    box("exec", "-d", "box", "sh", "-c", "sleep 0.2; echo done > /tmp/flag")
    until(lambda: box("exec", "box", "cat", "/tmp/flag", status=None).out == "done", "the flag")


BAD_INIT = """
import ctypes, subprocess, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
subprocess.run([*sys.argv[1:], "exec", "-d", "box", "sleep", "1000"], check=True)
sys.exit(subprocess.run([*sys.argv[1:], "rm", "-f", "-t", "0", "box"]).returncode)
"""


@pytest.mark.not_podman("its own outer process collects what it starts")
def test_an_init_that_collects_nothing_is_named(box: Engine) -> None:
    """As where pod runs in a container whose process 1 is any program; the next command finds it gone."""
    done = subprocess.run(
        [sys.executable, "-c", BAD_INIT, *box.full_command()],
        env={**box.environment, "POD_TEST_KILL_SECONDS": "4"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 125, done
    assert "container 'box' does not end: its process" in done.stderr
    assert "does not collect it" in done.stderr and "--init" in done.stderr


@pytest.mark.not_podman("its parts are not ours to delay")
def test_parent_may_be_slower_than_the_process_it_forked(box: Engine, tmp_path: Path) -> None:
    delayed = ["strace", "-f", "-o", str(tmp_path / "trace")]
    delayed += ["-e", "trace=clone,clone3", "-e", "inject=clone,clone3:delay_exit=50000"]
    slow = replace(box, command=[*delayed, *box.command])
    assert slow("exec", "box", "echo", "hi").out == "hi"
    assert slow("exec", "box", "nosuchcommand", status=127)


def test_latest_and_cidfile(pod: Engine, tmp_path: Path) -> None:
    path = tmp_path / "cid"
    pod(
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "l",
        "--cidfile",
        str(path),
        "busybox",
        "sleep",
        "1000",
    )
    assert pod("exec", "--latest", "echo", "x").out == "x"
    if pod.kind != "podman":  # 4.3 has no --cidfile here
        assert pod("exec", "--cidfile", str(path), "echo", "y").out == "y"
    pod("rm", "-f", "-t", "0", "l")


def test_container_that_does_not_run(pod: Engine) -> None:
    pod("create", "--name", "c", "busybox")
    result = pod("exec", "c", "true", status=None)
    assert result.status in (125, 255) and "running" in result.stderr
    assert "no-such-one" in pod("exec", "no-such-one", "true", status=125).stderr


def test_wrong_usage(box: Engine) -> None:
    assert box("exec", "box", status=None).status in (125, 255)
    box("exec", status=125)
    box("exec", "--bogus", "box", "true", status=125)
    assert box("exec", "-w", "/no/such/directory", "box", "true", status=None).status >= 125


def test_preserved_descriptor(box: Engine, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("through descriptor 3")
    with_descriptor = ["sh", "-c", 'f=$1; shift; exec "$@" 3<"$f"', "sh", str(file)]
    given = replace(box, command=[*with_descriptor, *box.command])
    result = given("exec", "--preserve-fds", "1", "box", "sh", "-c", "cat <&3")
    assert result.out == "through descriptor 3"


def test_interrupt_reaches_the_command(box: Engine) -> None:
    with box.spawn(
        "exec", "box", "sh", "-c", "trap 'echo got; exit 5' INT; echo ready; while true; do sleep 0.1; done"
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        if box.kind == "podman":
            process.kill()  # it does not pass signals on
            return
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"got\n"
        assert process.wait(timeout=60) == 5


@pytest.mark.not_podman("it does not pass signals on")
def test_interrupt_may_come_before_the_command_is_ready_for_it(box: Engine, tmp_path: Path) -> None:
    delayed = ["strace", "-D", "-o", str(tmp_path / "trace"), "-e", "trace=pidfd_open"]
    delayed += [
        "-e",
        "inject=pidfd_open:delay_enter=300000:when=2",
    ]  # before it waits for the process
    script = "trap 'echo got; exit 5' INT; echo ready; while true; do sleep 0.1; done"
    slow = replace(box, command=[*delayed, *box.command])
    with slow.spawn("exec", "box", "sh", "-c", script) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"got\n"
        assert process.wait(timeout=60) == 5


# With a terminal


def test_terminal(box: Engine) -> None:
    command = box.full_command("exec", "-it", "box", "sh")
    with Terminal(command, box.environment, rows=30, columns=100) as terminal:
        terminal.expect("#")
        terminal.type("tty; stty size; echo $TERM\r")
        terminal.expect("/dev/pts/")
        terminal.expect("30 100")
        terminal.expect("xterm")
        terminal.resize(40, 120)
        terminal.expect_size(40, 120)
        terminal.type("exit 7\r")
        assert terminal.wait() == 7


def test_control_c_in_a_terminal_interrupts_the_foreground_command(box: Engine) -> None:
    with Terminal(box.full_command("exec", "-it", "box", "sh"), box.environment) as terminal:
        terminal.expect("#")
        terminal.type("sleep 4711; echo status $?\r")  # not what the container itself runs
        terminal.expect("sleep 4711")
        until(
            lambda: "sleep 4711" in box("exec", "box", "sh", "-c", "ps | grep -v grep").stdout,
            "sleeping",
        )
        terminal.type("\x03")
        terminal.type("echo alive\r")
        terminal.expect("alive")
        terminal.type("exit\r")
        terminal.wait()


@pytest.mark.not_podman("it looks for each of the keys in a read of its own")
def test_detach_keys_leave_the_command_running(box: Engine) -> None:
    command = box.full_command("exec", "-it", "--detach-keys", "ctrl-x,d", "box", "sh")
    with Terminal(command, box.environment) as terminal:
        terminal.expect("#")
        terminal.type("(sleep 0.3; echo later > /tmp/later) &\r")
        terminal.expect("#")
        terminal.type("\x18d")
        assert terminal.wait() == 0
    until(lambda: box("exec", "box", "cat", "/tmp/later", status=None).out == "later", "going on")
