"""Terminals and pipes that are attached to a container: `run`, `start --attach` and `attach`, seen from the caller."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.connections import has_connection, is_attached
from tests.support.engine import Engine
from tests.support.terminal import Terminal
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("when its attach has begun cannot be seen from outside")

SHELL = ("-it", "--network", "none", "--name", "t", "busybox", "sh")
WAITS_FOR_GO = "while [ ! -e /go ]; do sleep 0.02; done; "
# Who has read something of this is known to the monitor, and misses nothing of what comes after it.
SPEAKS_TILL_GO = "while [ ! -e /go ]; do echo here; sleep 0.02; done; "


def state(pod: Engine, name: str) -> str:
    return pod("inspect", "-f", "{{.State.Status}}", name).out


def monitor_of(pod: Engine, name: str) -> int:
    return int(pod("inspect", "-f", "{{.State.ConmonPid}}", name).out)


def start(pod: Engine, name: str, script: str, *options: str) -> None:
    pod("run", "-d", "--network", "none", "--name", name, *options, "busybox", "sh", "-c", script)


def let_go(pod: Engine, name: str) -> None:
    result = pod("exec", name, "touch", "/go", status=None)
    assert result.status in {0, 137}, result  # the container may end before `touch` does


def first_of_output(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return os.read(
        process.stdout.fileno(), 1 << 16
    )  # past the buffer, which communicate() does not know


def resident_kilobytes(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


# Several who look


def test_everybody_who_is_attached_sees_everything(pod: Engine) -> None:
    start(pod, "a", SPEAKS_TILL_GO + "seq 1 20000; exit 3")
    with pod.spawn("attach", "a") as one, pod.spawn("attach", "a") as two:
        begun = [first_of_output(process) for process in (one, two)]
        let_go(pod, "a")
        expected = "".join(f"{number}\n" for number in range(1, 20_001)).encode()
        for process, first in zip((one, two), begun, strict=True):
            output = first + process.communicate(timeout=60)[0]
            assert output.replace(b"here\n", b"") == expected
        assert (one.returncode, two.returncode) == (3, 3)


def test_nothing_is_missed_where_the_monitor_is_late(pod: Engine) -> None:
    """It takes who has attached before what was written after that, though it finds all of it at once."""
    start(pod, "a", WAITS_FOR_GO + "echo all; exit 3")
    monitor = int(pod("inspect", "-f", "{{.State.ConmonPid}}", "a").out)
    pid = int(pod("inspect", "-f", "{{.State.Pid}}", "a").out)
    with pod.spawn("attach", "a") as one, pod.spawn("attach", "a") as two:
        os.kill(monitor, signal.SIGSTOP)
        try:
            for process in (one, two):
                until(lambda process=process: is_attached(process.pid), "attached")  # type: ignore[misc]
            let_go(pod, "a")
            until(lambda: has_ended(pid), "the end")
        finally:
            os.kill(monitor, signal.SIGCONT)
        for process in (one, two):
            assert process.communicate(timeout=60)[0] == b"all\n"
            assert process.returncode == 3


def has_ended(pid: int) -> bool:
    """Of a process that nobody collects: it is a zombie."""
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()


def test_both_may_type(pod: Engine) -> None:
    start(pod, "a", "while read line; do echo got $line; done", "-i")
    with pod.spawn("attach", "a") as one, pod.spawn("attach", "a") as two:
        for number, process in enumerate((one, two)):
            assert process.stdin is not None
            process.stdin.write(b"from %d\n" % number)
            process.stdin.flush()
            until(
                lambda number=number: f"got from {number}" in pod("logs", "a").stdout,  # type: ignore[misc]
                "read",
            )
        pod("kill", "a")
        assert one.wait(60) == two.wait(60) == 137


def test_one_that_is_killed_does_not_disturb_the_others(pod: Engine) -> None:
    start(pod, "a", WAITS_FOR_GO + "seq 1 200000; echo end")
    with pod.spawn("attach", "a") as killed, pod.spawn("attach", "a") as reader:
        for process in (killed, reader):
            until(lambda process=process: is_attached(process.pid), "attached")  # type: ignore[misc]
        killed.send_signal(signal.SIGSTOP)  # its share piles up, and the container waits for it
        let_go(pod, "a")
        killed.kill()
        assert reader.communicate(timeout=60)[0].endswith(b"200000\nend\n")
        assert reader.returncode == 0
    assert state(pod, "a") == "exited"


def test_input_of_one_that_leaves_does_not_end_that_of_others(pod: Engine) -> None:
    """Only an end of file ends the container's input, which a killed client does not send."""
    start(pod, "a", "read line; echo got $line", "-i")
    with pod.spawn("attach", "a") as killed:
        until(lambda: is_attached(killed.pid), "attached")
        killed.kill()
    assert pod("attach", "a", stdin="this\n").stdout == "got this\n"


# Nothing is lost, and nothing piles up


def test_a_reader_that_begins_late_gets_all_of_it(pod: Engine) -> None:
    """The container may have ended long before."""
    number = 100_000
    with pod.spawn("run", "--network", "none", "--name", "a", "busybox", "seq", str(number)) as it:
        until(lambda: "a" in pod("ps", "-a", "--format", "{{.Names}}").lines, "made")
        assert it.stdout is not None
        first = os.read(it.stdout.fileno(), 10)
        rest, _ = it.communicate(timeout=60)
    assert first + rest == "".join(f"{n}\n" for n in range(1, number + 1)).encode()
    assert it.returncode == 0


def state_of_all(pod: Engine) -> str:
    return pod("ps", "-a", "--format", "{{.State}}").out


@pytest.mark.parametrize("options", [(), ("--rm",)], ids=["kept", "removed"])
def test_a_reader_that_takes_its_time_gets_all_of_it(pod: Engine, options: tuple[str, ...]) -> None:
    """As with a pager: the monitor records the end itself when it waits too long, and goes on giving."""
    number = 400_000
    words = ("run", *options, "--network", "none", "--name", "a", "busybox", "seq", str(number))
    with pod.spawn(*words, env={"POD_TEST_FINISH_SECONDS": "0.1"}) as command:
        assert command.stdout is not None
        first = os.read(command.stdout.fileno(), 10)
        until(lambda: state_of_all(pod) in {"running", "exited", ""}, "recorded as started")
        # Read until the container has ended, and what is left is in the monitor and in pipes.
        while pod("ps", "-q").out:
            first += os.read(command.stdout.fileno(), 1 << 16)
        until(lambda: state_of_all(pod) in {"exited", ""}, "recorded")
        rest, err = command.communicate(timeout=60)
    assert first + rest == "".join(f"{n}\n" for n in range(1, number + 1)).encode()
    assert (command.returncode, err) == (0, b"")


def test_input_that_nobody_reads_waits_outside(pod: Engine) -> None:
    """Neither the command nor the monitor takes in what the container does not."""
    with subprocess.Popen(
        ["head", "-c", "200M", "/dev/zero"], stdout=subprocess.PIPE
    ) as source, pod.spawn(
        "run", "-i", "--network", "none", "--name", "a", "busybox", "sleep", "1000",
        stdin=source.stdout,
    ) as command:  # fmt: skip
        assert source.stdout is not None
        source.stdout.close()
        until(lambda: state(pod, "a") == "running" if pod.containers() else False, "running")
        monitor = monitor_of(pod, "a")

        def is_stuck() -> bool:
            with open(f"/proc/{source.pid}/wchan") as file:
                return "pipe" in file.read()

        until(is_stuck, "waiting for the command to read on")
        assert resident_kilobytes(monitor) < 60_000
        assert resident_kilobytes(command.pid) < 60_000
        pod("rm", "-f", "-t", "0", "a")
        assert command.wait(60) == 137


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_input_comes_out_again(pod: Engine, tmp_path: Path, kind: str) -> None:
    """Both directions are full at the same time; none of them may wait for the other."""
    path = tmp_path / "data"
    path.write_bytes(os.urandom(1 << 20) * 12)
    with open(path, "rb") as file:
        given = {"stdin": file} if kind == "file" else {}
        command = ("run", "-i", "--rm", "--network", "none", "--log-driver", "none", "busybox")
        with pod.spawn(*command, "cat", **given) as process:
            out, _ = process.communicate(
                input=path.read_bytes() if kind == "pipe" else None, timeout=60
            )
    assert out == path.read_bytes()


def test_a_closed_output_leaves_the_container_running_and_says_so(pod: Engine) -> None:
    with pod.spawn("run", "--network", "none", "--name", "a", "busybox", "yes") as command:
        assert command.stdout is not None and command.stderr is not None
        assert command.stdout.readline() == b"y\n"
        command.stdout.close()
        told = command.stderr.read().decode()
        assert command.wait(60) == 141
    assert state(pod, "a") == "running"
    assert "container 'a' goes on running" in told and "pod stop a" in told
    pod("rm", "-f", "-t", "0", "a")


def test_a_closed_output_of_what_ends_by_itself_is_not_worth_a_word(pod: Engine) -> None:
    with pod.spawn(
        "run", "--rm", "--network", "none", "--name", "a", "busybox", "seq", "100000"
    ) as command:
        assert command.stdout is not None and command.stderr is not None
        assert command.stdout.readline() == b"1\n"
        command.stdout.close()
        assert command.stderr.read() == b""
        assert command.wait(60) == 141
    assert pod.containers() == []


# Keys


@pytest.mark.parametrize(
    ("option", "typed"),
    [
        pytest.param([], "\x10\x11", id="default"),
        pytest.param(["--detach-keys", "ctrl-x"], "\x18", id="one"),
        pytest.param(["--detach-keys", "ctrl-x,x,ctrl-]"], "\x18x\x1d", id="three"),
    ],
)
@pytest.mark.parametrize("how", ["run", "attach", "start"])
def test_detach_keys(pod: Engine, how: str, option: list[str], typed: str) -> None:
    if how == "run":
        command = pod.full_command("run", *option, *SHELL)
    else:
        pod(*(("create",) if how == "start" else ("run", "-d")), *SHELL)
        more = ["-a", "-i"] if how == "start" else []
        command = pod.full_command(how, *more, *option, "t")
    with Terminal(command, pod.environment) as terminal:
        if how == "attach":
            terminal.type("\r")
        terminal.expect("#")
        for key in typed:
            terminal.type(key)
        assert terminal.wait() == 0
    assert state(pod, "t") == "running"
    pod("rm", "-f", "-t", "0", "t")


def test_keys_that_only_begin_the_sequence_are_passed_on(pod: Engine) -> None:
    pod("run", "-d", "-it", "--network", "none", "--name", "t", "busybox", "cat", "-v")
    with Terminal(pod.full_command("attach", "--detach-keys", "x,y", "t"), pod.environment) as it:
        it.type("xxz\r")
        it.expect("xxz")
        it.type("xy")
        assert it.wait() == 0
    pod("rm", "-f", "-t", "0", "t")


def test_without_detach_keys_all_are_passed_on(pod: Engine) -> None:
    pod("run", "-d", "-it", "--network", "none", "--name", "t", "busybox", "sh", "-c",
        "stty raw; echo ready; cat -v")  # fmt: skip
    until(lambda: "ready" in pod("logs", "t").stdout, "ready")
    with Terminal(pod.full_command("attach", "--detach-keys", "", "t"), pod.environment) as it:
        until(lambda: is_attached(it.pid) and it.is_raw(), "attached")
        it.type("\x10\x11!")
        it.expect("^P^Q!")
        pod("rm", "-f", "-t", "0", "t")
        assert it.wait() == 137


def test_keys_that_make_no_sense(pod: Engine) -> None:
    pod("create", *SHELL)
    for keys in ("ctrl-1", "ab", "ctrl-"):
        assert keys in pod("attach", "--detach-keys", keys, "t", status=125).stderr


# The window


def test_the_window_of_whoever_attaches_counts(pod: Engine) -> None:
    pod("run", "-d", *SHELL)
    for rows, columns in ((33, 101), (44, 77)):
        command = pod.full_command("attach", "t")
        with Terminal(command, pod.environment, rows=rows, columns=columns) as terminal:
            terminal.type("stty size\r")
            terminal.expect(f"{rows} {columns}")
            terminal.resize(rows + 1, columns + 1)
            terminal.expect_size(rows + 1, columns + 1)
            terminal.type("\x10\x11")
            assert terminal.wait() == 0
    pod("rm", "-f", "-t", "0", "t")


def test_the_callers_terminal_is_as_it_was(pod: Engine) -> None:
    script = f"stty -a > before; {subprocess.list2cmdline(pod.full_command('attach', 't'))}; stty -a > after"
    pod("run", "-d", *SHELL)
    with tempfile.TemporaryDirectory() as directory:
        command = ["/bin/sh", "-c", f"cd {directory}; {script}; echo compared; cmp before after"]
        with Terminal(command, pod.environment) as terminal:
            terminal.type("exit 4\r")
            terminal.expect("compared")
            assert terminal.wait() == 0


# Signals and input that is not passed on


def test_signals_can_be_kept_from_the_container(pod: Engine) -> None:
    start(pod, "a", "trap 'echo got it' TERM; echo ready; while true; do sleep 0.05; done")
    with pod.spawn("attach", "--sig-proxy=false", "a") as process:
        until(lambda: is_attached(process.pid), "attached")
        process.terminate()
        assert process.wait(60) in {-15, 143}
    assert "got it" not in pod("logs", "a").stdout
    pod("rm", "-f", "-t", "0", "a")


def test_input_can_be_kept_from_the_container(pod: Engine) -> None:
    start(pod, "a", SPEAKS_TILL_GO + "read -t 0.1 line; echo read: $line", "-i")
    with pod.spawn("attach", "--no-stdin", "a") as process:
        assert process.stdin is not None
        process.stdin.write(b"typed\n")
        process.stdin.flush()
        output = first_of_output(process)
        let_go(pod, "a")
        output += process.communicate(timeout=60)[0]
        assert output.replace(b"here\n", b"") == b"read:\n"


# Deaths


def test_the_end_of_a_terminal_is_not_that_of_what_was_started_there(pod: Engine) -> None:
    """One in the background, and one that is looked at and ignores the SIGHUP that is passed on."""
    words = pod.full_command(
        "run", "-d", "--network", "none", "--name", "a", "busybox", "sleep", "1000"
    )
    with Terminal(["/bin/sh", "-c", f"{shlex.join(words)}; exec cat"], pod.environment) as terminal:
        until(pod.containers, "made")
        terminal.expect(pod.containers()[0])
    words = pod.full_command("run", "--network", "none", "--name", "b", "busybox", "sh", "-c",
                             "trap '' HUP; echo ready; sleep 1000")  # fmt: skip
    with Terminal(words, pod.environment) as terminal:
        terminal.expect("ready")
        os.kill(terminal.pid, signal.SIGHUP)
        pod("exec", "b", "true")
    assert (state(pod, "a"), state(pod, "b")) == ("running", "running")
    pod("rm", "-f", "-t", "0", "a", "b")


@pytest.mark.parametrize(
    ("command", "status"),
    [
        pytest.param(("attach", "a"), 125, id="attach"),
        pytest.param(("start", "-a", "a"), 125, id="start"),
        pytest.param(("wait", "a"), 0, id="wait"),
        pytest.param(("wait", "--condition", "exited", "a"), 0, id="condition"),
        pytest.param(("logs", "-f", "a"), 0, id="logs"),
        pytest.param(("logs", "-f", "a", "a"), 0, id="several"),
        pytest.param(("stop", "-t", "-1", "a"), 0, id="stop"),
    ],
)
def test_nobody_waits_for_a_monitor_that_was_killed(
    pod: Engine, command: tuple[str, ...], status: int
) -> None:
    start(pod, "a", "trap '' TERM; echo ready; while true; do sleep 0.1; done")
    until(lambda: "ready" in pod("logs", "a").stdout, "ready")
    monitor = monitor_of(pod, "a")
    with pod.spawn(*command) as process:
        is_there = is_attached if command[0] in {"attach", "start"} else has_connection
        until(lambda: is_there(process.pid), "connected")
        os.kill(monitor, signal.SIGKILL)
        _, err = process.communicate(timeout=30)
    assert process.returncode == status, err.decode()
    if command[0] in {"attach", "start"}:
        assert "monitor has died" in err.decode()
    assert state(pod, "a") == "exited"


def test_following_ends_with_the_command_that_was_killed(pod: Engine) -> None:
    """The leak check would find children that go on."""
    start(pod, "a", "sleep 1000")
    start(pod, "b", "sleep 1000")
    with pod.spawn("logs", "-f", "a", "b") as process:
        until(lambda: has_connection(process.pid), "connected")
        process.kill()
    pod("rm", "-f", "-t", "0", "a", "b")


def test_following_ends_when_nobody_reads_it(pod: Engine) -> None:
    start(pod, "a", "echo one; sleep 1000")
    with pod.spawn("logs", "-f", "a") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"one\n"
        process.stdout.close()
        assert process.wait(30) == 141
    pod("rm", "-f", "-t", "0", "a")


@pytest.mark.parametrize("step", ["launch: run directory", "launch: ordered", "launch: reported"])
@pytest.mark.parametrize("options", [("--rm",), ()], ids=["removed", "kept"])
def test_an_interrupted_start_leaves_nothing_running(
    pod: Engine, step: str, options: tuple[str, ...]
) -> None:
    """ctrl-c before the container is known to run: the leak check sees a monitor or a container that goes on."""
    env = {"POD_TEST_KILL_AT": step, "POD_TEST_KILL_WITH": str(int(signal.SIGINT))}
    words = ("run", "-d", *options, "--name", "a", "busybox", "sleep", "1000")
    pod(*words, env=env, status=130)
    assert pod("ps", "-a", "--format", "{{.Names}} {{.Status}}").lines == (
        [] if options else ["a Created"]
    )
    if not options:
        pod(*("start", "a"), env=env, status=130)
        assert state(pod, "a") == "created"


@pytest.mark.parametrize("command", ["run", "start"])
def test_an_interrupt_after_the_start_is_for_the_container(pod: Engine, command: str) -> None:
    """ctrl-c when the container runs and the command does not listen to signals yet: it does not leave it there."""
    env = {
        "POD_TEST_KILL_AT": "attach: connected",
        "POD_TEST_KILL_WITH": str(int(signal.SIGINT)),
    }
    # Only the second one is to end it; the first may come before, between or after what is done till then.
    script = (
        f"trap : INT; {WAITS_FOR_GO}trap 'exit 7' INT; echo ready; while true; do sleep 0.05; done"
    )
    words = ("--network", "none", "--name", "a", "busybox", "sh", "-c", script)
    if command == "start":
        pod("create", *words)
        words = ("-a", "a")
    with pod.spawn(command, *words, env=env) as process:
        # The kernel drops it when process 1 has no handler yet; what counts is that we are still with it.
        until(lambda: is_attached(process.pid), "attached")
        let_go(pod, "a")
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 7
    assert state(pod, "a") == "exited"


def test_a_file_for_the_process_id_that_cannot_be_written(pod: Engine, tmp_path: Path) -> None:
    """Nothing runs then; the leak check would see it."""
    path = str(tmp_path / "no" / "such" / "file")
    for option in ("--pidfile", "--conmon-pidfile"):
        words = ("run", "-d", "--rm", "--network", "none", option, path, "busybox", "sleep", "9")
        assert path in pod(*words, status=125).stderr
    assert pod.containers() == []
