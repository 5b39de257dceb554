"""`pod init`: everything of a container is there, and its command runs when it is started."""

from __future__ import annotations

import os
import socket

import pytest

from tests.support.engine import Engine
from tests.support.waiting import until


def create(pod: Engine, *command: str, options: tuple[str, ...] = ()) -> None:
    pod("create", "--name", "c", "--network", "none", *options, "busybox", *command)


def state(pod: Engine) -> str:
    return pod("inspect", "-f", "{{.State.Status}}", "c").out


def test_it_waits_and_start_lets_it_go(pod: Engine) -> None:
    create(pod, "sh", "-c", "echo began; exec sleep 1000")
    assert pod("init", "c").out == "c"
    assert state(pod) == "initialized"
    assert pod("ps", "-a", "--format", "{{.State}}").out.lower() == "initialized"
    assert pod("ps", "-a", "--filter", "status=initialized", "--format", "{{.Names}}").out == "c"
    pid = int(pod("inspect", "-f", "{{.State.Pid}}", "c").out)
    assert pid and os.path.exists(f"/proc/{pid}")
    assert pod("logs", "c").out == ""
    pod("start", "c")
    assert state(pod) == "running"
    assert int(pod("inspect", "-f", "{{.State.Pid}}", "c").out) == pid
    until(lambda: pod("logs", "c").out == "began", "its output")
    pod("stop", "-t", "0", "c")
    pod("start", "c")  # the next time in one go
    assert state(pod) == "running"


def test_what_it_writes_is_seen_from_the_beginning(pod: Engine) -> None:
    create(pod, "sh", "-c", "cat; exit 3", options=("-i",))
    pod("init", "c")
    assert pod("start", "-a", "-i", "c", stdin="typed\n", status=3).out == "typed"


def test_only_what_has_no_processes_is_initialized(pod: Engine) -> None:
    create(pod, "sleep", "1000")
    pod("init", "c")
    assert "c" in pod("init", "c", status=125).stderr
    pod("init", "--all")  # there is nothing to do
    pod("start", "c")
    pod("init", "c", status=125)
    pod("container", "init", "nobody", status=125)


def test_nothing_can_be_done_in_it_yet(pod: Engine) -> None:
    create(pod, "sleep", "1000")
    pod("init", "c")
    for words in (("exec", "c", "true"), ("kill", "c"), ("attach", "c")):
        result = pod(*words, status=None if pod.kind == "podman" else 125)
        assert pod.kind == "podman" or "initialized" in result.stderr
    pod("rm", "c")  # without --force, as it has done nothing
    assert pod.containers() == []


@pytest.mark.not_podman("it says that it can only stop containers that have been started")
@pytest.mark.parametrize("policy", ["no", "always"])
def test_stop_ends_it(pod: Engine, policy: str) -> None:
    create(pod, "sleep", "1000", options=("--restart", policy))
    pod("init", "c")
    pod("stop", "c")
    assert state(pod) == "exited"
    assert pod("logs", "c").out == ""
    pod("start", "c")
    assert state(pod) == "running"


def test_a_command_that_is_not_there_is_told_to_who_starts_it(pod: Engine) -> None:
    create(pod, "/no/such/program")
    if pod.kind == "podman":
        pod("init", "c", status=None)
        return
    pod("init", "c")
    assert "/no/such/program" in pod("start", "c", status=127).stderr
    assert state(pod) == "created"
    pod("init", "c")


@pytest.mark.not_podman("processes of pod")
def test_its_death_is_recorded(pod: Engine) -> None:
    create(pod, "sleep", "1000", options=("--restart", "always"))
    pod("init", "c")
    os.kill(int(pod("inspect", "-f", "{{.State.Pid}}", "c").out), 9)
    until(lambda: state(pod) == "exited", "exited")
    assert pod("inspect", "-f", "{{.State.ExitCode}} {{.RestartCount}}", "c").out == "137 0"


@pytest.mark.not_podman("its own runtime")
@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_with_another_runtime(pod: Engine, runtime: str) -> None:
    pod("--runtime", runtime, "create", "--name", "c", "--network", "none", "busybox", "echo", "ok")
    pod("init", "c")
    assert state(pod) == "initialized"
    assert pod("start", "-a", "c").out == "ok"
    pod("init", "c")
    pod("rm", "-f", "c")


def test_with_a_network_and_a_terminal(pod: Engine) -> None:
    pod("create", "--name", "c", "-t", "busybox", "sh", "-c", "ip route | grep -c default; tty")
    pod("init", "c")
    assert pod("start", "-a", "c").stdout.split() == ["1", "/dev/pts/0"]


def test_events_tell_the_halves_apart(pod: Engine) -> None:
    number = pod("create", "--name", "c", "--network", "none", "busybox", "sleep", "1000").out
    pod("init", "c")
    told = (
        "events",
        "--stream=false",
        "--filter",
        f"container={number}",
        "--format",
        "{{.Status}}",
    )
    assert pod(*told).lines == ["create", "init"]
    pod("start", "c")
    assert pod(*told).lines == ["create", "init", "start"]


@pytest.mark.not_podman("conmon belongs to whoever called `init`")
def test_a_service_manager_is_told_of_one_that_was_initialized(
    pod: Engine, runtime_directory: str
) -> None:
    create(pod, "sleep", "1000", options=("--sdnotify", "conmon"))
    pod("init", "c")
    path = f"{runtime_directory}/notify-init"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        try:
            pod("start", "c", env={"NOTIFY_SOCKET": path})
            manager.settimeout(20)
            heard = manager.recv(1000).decode().split("\n")
            while "READY=1" not in heard:
                heard += manager.recv(1000).decode().split("\n")
        finally:
            os.unlink(path)
    assert f"MAINPID={pod('inspect', '-f', '{{.State.ConmonPid}}', 'c').out}" in heard
    assert state(pod) == "running"
    assert pod("inspect", "-f", "{{.RestartCount}}", "c").out == "0"
