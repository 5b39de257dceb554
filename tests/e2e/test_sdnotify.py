"""Services: NOTIFY_SOCKET, MAINPID and READY (--sdnotify), and sockets that a service manager passes."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.checks import one_error
from tests.support.engine import Engine
from tests.support.waiting import until

SHRINKS_AT_ONCE = {"POD_TEST_SHRINK_SECONDS": "0.05"}
# The one program of busybox that writes to a datagram socket; it puts words of its own before the first line.
SAY = 'ln -sf "$NOTIFY_SOCKET" /dev/log; say() { logger "$(printf "x\n$1\n ")"; }\n'
OLD = "conmon 2.1.6 has no socket for this runtime, or passes READY=1 alone"


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, directory: str) -> None:
        self.path = f"{directory}/notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(60)
        self.environment = {"NOTIFY_SOCKET": self.path}

    def hear(self) -> list[str]:
        """The next message, line by line."""
        return self._socket.recv(10_000).decode().split("\n")

    def hear_until(self, line: str) -> list[str]:
        """The lines of all messages until the one with this line."""
        heard = self.hear()
        while line not in heard:
            heard += self.hear()
        return heard

    def is_silent(self) -> bool:
        """Whether no message has come; after the container has ended, or said something else."""
        return not select.select([self._socket], [], [], 0)[0]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(runtime_directory: str) -> Generator[Manager]:
    manager = Manager(runtime_directory)
    yield manager
    manager.close()
    os.unlink(manager.path)


def until_small(pid: int) -> None:
    """Wait until the monitor goes on in another interpreter."""
    command = Path(f"/proc/{pid}/cmdline")
    until(lambda: "monitor.resume" in command.read_text(), "a small monitor")


def monitor_of(file: Path) -> int:
    return int(file.read_text())


@pytest.mark.parametrize("word", ["conmon", "ignore"])
def test_started_is_ready(pod: Engine, manager: Manager, tmp_path: Path, word: str) -> None:
    pids = tmp_path / "pids"
    words = ("-d", "--name", "c", "--network", "none", "--conmon-pidfile", str(pids))
    script = "echo socket=$NOTIFY_SOCKET; sleep 1000"
    pod("run", *words, "--sdnotify", word, "busybox", "sh", "-c", script, env=manager.environment)
    if word == "conmon":
        heard = manager.hear_until("READY=1")
        assert f"MAINPID={monitor_of(pids)}" in heard
    until(lambda: pod("logs", "c").out == "socket=", "the container's own view")
    assert manager.is_silent()
    assert pod("inspect", "-f", "{{.Config.SdNotifyMode}}", "c").out == word


@pytest.mark.not_podman(OLD)
@pytest.mark.parametrize("environment", [{}, SHRINKS_AT_ONCE], ids=["whole", "small"])
def test_container_says_when_it_is_ready(
    pod: Engine, manager: Manager, tmp_path: Path, environment: dict[str, str]
) -> None:
    pids, go = tmp_path / "pids", tmp_path / "go"
    go.mkdir()
    script = f"""{SAY}
        until [ -e /go/now ]; do sleep 0.02; done
        say "STATUS=half way\nMAINPID=1\nFDSTORE=1\nEXTEND_TIMEOUT_USEC=5000000"
        say READY=1
        sleep 1000"""
    words = ("-d", "--name", "c", "--network", "none", "--conmon-pidfile", str(pids))
    pod(
        "run", *words, "-v", f"{go}:/go", "busybox", "sh", "-c", script,
        env={**manager.environment, **environment},
    )  # fmt: skip
    main = f"MAINPID={monitor_of(pids)}"
    assert manager.hear() == [main]
    if environment:
        until_small(monitor_of(pids))
    (go / "now").touch()
    assert manager.hear() == ["STATUS=half way", "EXTEND_TIMEOUT_USEC=5000000"]
    assert manager.hear() == [main, "READY=1"]


@pytest.mark.not_podman(OLD)
def test_what_is_said_just_before_the_end_arrives(
    pod: Engine, manager: Manager, tmp_path: Path
) -> None:
    """All of it, though the monitor is late and finds the container ended."""
    pids, go = tmp_path / "pids", tmp_path / "go"
    go.mkdir()
    script = f"{SAY}\nuntil [ -e /go/now ]; do sleep 0.02; done\nsay STATUS=one; say STATUS=two; say READY=1"
    words = ("-d", "--name", "c", "--network", "none", "--conmon-pidfile", str(pids))
    pod("run", *words, "-v", f"{go}:/go", "busybox", "sh", "-c", script, env=manager.environment)
    assert manager.hear() == [f"MAINPID={monitor_of(pids)}"]
    process = Path("/proc", pod("inspect", "-f", "{{.State.Pid}}", "c").out, "stat")
    os.kill(monitor_of(pids), signal.SIGSTOP)
    try:
        (go / "now").touch()
        until(lambda: ") Z " in process.read_text(), "the end")
    finally:
        os.kill(monitor_of(pids), signal.SIGCONT)
    heard = [manager.hear(), manager.hear(), manager.hear()]
    assert heard == [["STATUS=one"], ["STATUS=two"], [f"MAINPID={monitor_of(pids)}", "READY=1"]]
    assert pod("wait", "c").out == "0"


@pytest.mark.not_podman(OLD)
def test_container_that_is_started_again_has_its_socket(pod: Engine, manager: Manager) -> None:
    script = f"{SAY}\nsay READY=1; sleep 0.1; exit 1"
    words = ("create", "--name", "c", "--network", "none", "--restart", "on-failure:2")
    pod(*words, "busybox", "sh", "-c", script)
    pod("start", "c", env=manager.environment)
    for _ in range(3):
        manager.hear_until("READY=1")
    assert pod("wait", "c").out == "1"


@pytest.mark.not_podman("4.3 has no --sdnotify=healthy")
@pytest.mark.parametrize("environment", [{}, SHRINKS_AT_ONCE], ids=["whole", "small"])
def test_healthy_is_ready(
    pod: Engine, manager: Manager, tmp_path: Path, environment: dict[str, str]
) -> None:
    (go := tmp_path / "go").mkdir()
    pod(
        "run", "-d", "--name", "c", "--network", "none", "-v", f"{go}:/go", "--sdnotify=healthy",
        "--health-cmd", "test -e /go/now", "--health-interval", "200ms", "--health-retries", "1",
        "busybox", "sleep", "1000", env={**manager.environment, **environment},
    )  # fmt: skip
    assert manager.hear()[0].startswith("MAINPID=")
    status = ("inspect", "-f", "{{.State.Health.Status}}", "c")
    until(lambda: pod(*status).out == "unhealthy", "unhealthy")
    assert manager.is_silent()
    (go / "now").touch()
    assert manager.hear()[-1] == "READY=1"


@pytest.mark.not_podman("4.3 has no --sdnotify=healthy")
@pytest.mark.not_podman("its start has no such option")
def test_a_start_may_say_who_tells_it(pod: Engine, manager: Manager, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    words = ("--name", "c", "--network", "none", "--conmon-pidfile", str(pids))
    pod("create", *words, "busybox", "sh", "-c", "echo socket=$NOTIFY_SOCKET; sleep 1000")
    pod("start", "--sdnotify", "ignore", "c", env=manager.environment)
    assert manager.is_silent()
    until(lambda: pod("logs", "c").out == "socket=", "what the first run says")
    pod("stop", "-t", "0", "c")
    pod("start", "--sdnotify", "conmon", "c", env=manager.environment)
    main = f"MAINPID={monitor_of(pids)}"
    assert manager.hear() == [main]
    assert manager.hear() == [main, "READY=1"]
    until(lambda: pod("logs", "c").out == "socket=\nsocket=", "the container's own view")
    error = one_error(pod("start", "--sdnotify", "healthy", "c", status=125))
    assert "--sdnotify" in error and "conmon, container, ignore" in error
    error = one_error(pod("start", "-a", "--sdnotify", "conmon", "c", status=125))
    assert "--attach" in error


def test_healthy_needs_a_check(pod: Engine) -> None:
    result = pod("run", "--sdnotify", "healthy", "busybox", "true", status=125)
    assert "--sdnotify=healthy needs a health check" in one_error(result, hint=None)


@pytest.mark.not_podman("other words")
def test_wrong_word(pod: Engine) -> None:
    result = pod("run", "--sdnotify", "systemd", "busybox", "true", status=125)
    assert "--sdnotify 'systemd' is not valid: container, conmon, healthy, ignore" in one_error(
        result, hint=None
    )


@pytest.mark.not_podman("conmon has its own ways")
@pytest.mark.parametrize("small", [{}, SHRINKS_AT_ONCE], ids=["whole", "small"])
def test_monitor_is_the_main_process_of_a_service(
    pod: Engine, manager: Manager, tmp_path: Path, small: dict[str, str]
) -> None:
    """SIGTERM for it is for the container, which is not started again; and it is what was wanted."""
    pids = tmp_path / "pids"
    script = "trap 'exit 7' TERM; echo up; while :; do sleep 0.02; done"
    words = pod.full_command(
        "run", "-d", "--name", "c", "--network", "none", "--restart", "always", "--sdnotify=conmon",
        "--conmon-pidfile", str(pids), "busybox", "sh", "-c", script,
    )  # fmt: skip
    adopting = (
        "import ctypes, os, subprocess, sys\n"
        "ctypes.CDLL(None).prctl(36, 1)\n"
        "subprocess.run(sys.argv[1:], check=True)\n"
        "while True:\n"
        "    pid, status = os.wait()\n"
        "    print(pid, os.waitstatus_to_exitcode(status), flush=True)\n"
    )
    environment = {**pod.environment, **manager.environment, **small}
    with subprocess.Popen(
        [sys.executable, "-c", adopting, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as service:
        manager.hear_until("READY=1")
        until(lambda: pod("logs", "c").out == "up", "its trap")
        if small:
            until_small(monitor_of(pids))
        os.kill(monitor_of(pids), 15)
        assert f"{monitor_of(pids)} 0\n" in service.communicate(timeout=60)[0]
    assert pod("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "c").out == "exited 7"


@pytest.mark.not_podman("conmon has its own ways")
def test_a_failed_start_is_told_by_the_command(pod: Engine, manager: Manager) -> None:
    """systemd kills the rest of a unit when its main process ends: the command is that again, and says what failed."""
    words = ("--sdnotify=conmon", "--network=none", "busybox", "/no/such/program")
    failed = pod("run", "-d", *words, env=manager.environment, status=127)
    assert "/no/such/program" in failed.stderr
    (monitor,), (command,) = manager.hear(), manager.hear()
    assert monitor.startswith("MAINPID=") and command.startswith("MAINPID=") and monitor != command


@pytest.mark.not_podman("4.3 says nothing of a pull")
def test_a_pull_is_given_time(pod: Engine, manager: Manager) -> None:
    words = ("run", "--rm", "--network", "none", "--pull=always", "--sdnotify=conmon")
    pod(*words, "busybox", "true", env=manager.environment)
    assert manager.hear() == ["EXTEND_TIMEOUT_USEC=30000000"]
    assert "READY=1" in manager.hear_until("READY=1")


@pytest.mark.not_podman("4.3 says nothing of a monitor that cannot start")
def test_nobody_listens(pod: Engine, runtime_directory: str) -> None:
    environment = {"NOTIFY_SOCKET": f"{runtime_directory}/nobody"}
    words = ("run", "--rm", "--network", "none", "--sdnotify=conmon", "busybox", "echo", "x")
    result = pod(*words, env=environment)
    assert result.out == "x"
    assert "nobody' was not told" in result.stderr


def test_sockets_of_an_activation(pod: Engine) -> None:
    script = "echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; readlink /proc/self/fd/4"
    with socket.socket(socket.AF_UNIX) as listener:
        inode = os.fstat(listener.fileno()).st_ino
        out = activated(pod, listener, "run", "--rm", "busybox", "sh", "-c", script)
    assert out.splitlines() == ["2 1 web:admin", f"socket:[{inode}]"]


def test_sockets_for_a_container_that_exists(pod: Engine) -> None:
    script = "echo $LISTEN_FDS; readlink /proc/self/fd/3"
    pod("create", "--name", "c", "busybox", "sh", "-c", script)
    with socket.socket(socket.AF_UNIX) as listener:
        inode = os.fstat(listener.fileno()).st_ino
        out = activated(pod, listener, "start", "--attach", "c")
    assert out.splitlines() == ["2", f"socket:[{inode}]"]


@pytest.mark.not_podman("it does not look at LISTEN_PID")
def test_sockets_for_another_process_are_not_passed(pod: Engine) -> None:
    script = "echo .$LISTEN_FDS.; readlink /proc/self/fd/4"
    words = ("run", "--rm", "busybox", "sh", "-c", f"{script}; true")
    with socket.socket(socket.AF_UNIX) as listener:
        assert activated(pod, listener, *words, for_us="LISTEN_PID=1") == "..\n"


def activated(
    pod: Engine, listener: socket.socket, *words: str, for_us: str = "LISTEN_PID=$$"
) -> str:
    """What a command prints that gets the listener as descriptors 3 and 4, as from systemd."""
    number = listener.fileno()
    script = (
        f'export {for_us} LISTEN_FDS=2 LISTEN_FDNAMES=web:admin; exec "$@" 3<&{number} 4<&{number}'
    )
    return subprocess.run(
        ["bash", "-c", script, "bash", *pod.full_command(*words)],
        env=pod.environment,
        pass_fds=[number],
        check=True,
        timeout=60,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
