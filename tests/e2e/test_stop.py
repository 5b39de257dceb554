"""`pod stop`, `pod kill`, `pod restart`: signals, time-outs, several containers at once."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.waiting import until

STUBBORN = ("busybox", "sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.1; done")
POLITE = ("busybox", "sh", "-c", "trap 'exit 3' TERM; echo ready; while true; do sleep 0.1; done")


def start(pod: Engine, name: str, *words: str) -> str:
    number = pod("run", "-d", "--network", "none", "--name", name, *words).out
    if "ready" in words[-1]:
        until(lambda: "ready" in pod("logs", name).stdout, "being ready")
    return number


def state(pod: Engine, name: str) -> str:
    return pod("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name).out


def test_stop_asks_first(pod: Engine) -> None:
    start(pod, "polite", *POLITE)
    assert pod("stop", "polite").out == "polite"
    assert state(pod, "polite") == "exited 3"


def test_stop_kills_after_the_time(pod: Engine) -> None:
    start(pod, "stubborn", *STUBBORN)
    before = time.monotonic()
    pod("stop", "-t", "1", "stubborn")
    assert time.monotonic() - before >= 1
    assert state(pod, "stubborn") == "exited 137"


def test_stop_timeout_of_the_container_is_the_default(pod: Engine) -> None:
    start(pod, "stubborn", "--stop-timeout", "0", *STUBBORN)
    pod("stop", "stubborn")
    assert state(pod, "stubborn") == "exited 137"


def test_stop_signal_of_the_container(pod: Engine) -> None:
    script = "trap 'exit 4' USR1; echo ready; while true; do sleep 0.1; done"
    start(pod, "s", "--stop-signal", "USR1", "busybox", "sh", "-c", script)
    pod("stop", "s")
    assert state(pod, "s") == "exited 4"


@pytest.mark.not_podman("it is docker's")
@pytest.mark.parametrize("command", ["stop", "restart"])
def test_another_signal_than_its_own(pod: Engine, command: str) -> None:
    script = "trap 'exit 5' USR2; trap '' TERM; echo ready; while true; do sleep 0.1; done"
    start(pod, f"other-{command}", "busybox", "sh", "-c", script)
    pod(command, "--signal", "USR2", f"other-{command}")
    words = (
        "events",
        "--stream=false",
        "--filter",
        f"container=other-{command}",
        "--filter",
        "event=died",
    )
    assert pod(*words, "--format", "{{.ContainerExitCode}}").lines == ["5"]
    result = pod(command, "--signal", "NONE", f"other-{command}", status=125)
    assert "signal 'NONE' of --signal does not exist" in result.stderr


def test_stopping_what_does_not_run_is_fine(pod: Engine) -> None:
    pod("create", "--name", "c", "busybox")
    pod("run", "--name", "e", "--network", "none", "busybox", "true")
    assert sorted(pod("stop", "c", "e").lines) == ["c", "e"]


def test_several_stop_at_once(pod: Engine) -> None:
    """Each waits until all have been asked, so the first would be killed if it were stopped before the others."""
    wait = "until [ $(ls /asked | wc -l) = 3 ]; do sleep 0.05; done; exit 3"
    script = (
        f"trap 'touch /asked/$HOSTNAME; {wait}' TERM; echo ready; while true; do sleep 0.1; done"
    )
    names = ["s0", "s1", "s2"]
    for name in names:
        start(pod, name, "-v", "asked:/asked", "--hostname", name, "-e", f"HOSTNAME={name}",
              "busybox", "sh", "-c", script)  # fmt: skip
    pod("stop", "-t", "25", *names)
    assert [state(pod, name) for name in names] == ["exited 3"] * 3


def test_stop_all_names_the_running_ones(pod: Engine) -> None:
    number = start(pod, "a", *POLITE)
    pod("create", "--name", "b", "busybox")
    assert number in pod("stop", "-a").lines


def test_stop_by_file_filter_and_latest(pod: Engine, tmp_path: Path) -> None:
    start(pod, "f", "--cidfile", str(tmp_path / "f"), *POLITE)
    pod("stop", "--cidfile", str(tmp_path / "f"))
    assert state(pod, "f") == "exited 3"
    start(pod, "g", "-l", "x=y", *POLITE)
    pod("stop", "--filter", "label=x=y")
    assert state(pod, "g") == "exited 3"
    start(pod, "h", *POLITE)
    pod("stop", "--latest")
    assert state(pod, "h") == "exited 3"


def test_stop_of_what_does_not_exist(pod: Engine) -> None:
    assert "no-such-one" in pod("stop", "no-such-one", status=125).stderr
    pod("stop", "--ignore", "no-such-one")
    pod("stop", status=125)


def test_stop_ends_restarts(pod: Engine) -> None:
    start(pod, "again", "--restart", "always", *POLITE)
    pod("stop", "again")
    assert state(pod, "again") == "exited 3"
    assert pod("ps", "-q").out == ""


def test_stop_while_it_waits_to_restart(pod: Engine) -> None:
    start(pod, "failing", "--restart", "always", "busybox", "false")
    until(lambda: int(pod("inspect", "-f", "{{.RestartCount}}", "failing").out) > 2, "restarting")
    pod("stop", "-t", "5", "failing")
    assert state(pod, "failing") in {"exited 1", "stopped 1"}  # podman 4.3 has two words for it


def test_kill(pod: Engine) -> None:
    start(pod, "k", *STUBBORN)
    assert pod("kill", "k").out == "k"
    assert pod("wait", "k").out == "137"


@pytest.mark.parametrize("name", ["USR1", "sigusr1", str(int(signal.SIGUSR1))])
def test_kill_with_a_signal(pod: Engine, name: str) -> None:
    script = "trap 'exit 6' USR1; echo ready; while true; do sleep 0.1; done"
    start(pod, "k", "busybox", "sh", "-c", script)
    pod("kill", "-s", name, "k")
    assert pod("wait", "k").out == "6"


def test_kill_of_what_does_not_run_fails(pod: Engine) -> None:
    pod("create", "--name", "c", "busybox")
    assert "running" in pod("kill", "c", status=125).stderr
    assert "no-such-one" in pod("kill", "no-such-one", status=125).stderr
    assert "NONSENSE" in pod("kill", "-s", "NONSENSE", "c", status=125).stderr


def test_kill_all(pod: Engine) -> None:
    numbers = {start(pod, name, *STUBBORN) for name in ("a", "b")}
    assert set(pod("kill", "-a").lines) == numbers


def test_restart_starts_anew(pod: Engine) -> None:
    start(pod, "r", *POLITE)
    first = pod("inspect", "-f", "{{.State.Pid}}", "r").out
    assert pod("restart", "-t", "5", "r").out == "r"
    assert pod("inspect", "-f", "{{.State.Status}}", "r").out == "running"
    assert pod("inspect", "-f", "{{.State.Pid}}", "r").out != first
    pod("rm", "-f", "-t", "0", "r")


def test_restart_starts_what_does_not_run(pod: Engine) -> None:
    pod("create", "--network", "none", "--name", "c", "busybox", "sleep", "1000")
    pod("restart", "c")
    assert pod("ps", "--format", "{{.Names}}").out == "c"
    pod("rm", "-f", "-t", "0", "c")


@pytest.mark.not_podman("4.3 wants a name besides --running")
def test_restart_of_the_running_ones(pod: Engine) -> None:
    start(pod, "a", *POLITE)
    pod("create", "--name", "b", "busybox")
    pod("restart", "--running", "-t", "5")
    assert pod("ps", "--format", "{{.Names}}").out == "a"
    pod("restart", "no-such-one", status=125)
    pod("restart", "--running", "a", status=125)
    pod("rm", "-f", "-a", "-t", "0")
