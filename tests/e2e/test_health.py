"""Health checks: what they record, what follows from them, and what a bad check cannot do."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.connections import has_connection
from tests.support.engine import Engine
from tests.support.images import busybox_layer
from tests.support.layout import Layout
from tests.support.waiting import until

own_checks = pytest.mark.not_podman("without systemd it checks nothing by itself")
SHRINKS_AT_ONCE = {"POD_TEST_SHRINK_SECONDS": "0.05"}
# podman 4 makes its timers with systemd or, if this is set, none; so it can be asked to check.
BY_HAND = {"DISABLE_HC_SYSTEMD": "true"}
SOON = ("--health-interval", "100ms")
NEVER = ("--health-interval", "disable")
TOGGLE = "test -e /ok"


def start(pod: Engine, check: str, *options: str, **more: Any) -> None:
    pod("run", "-d", "--network", "none", "--name", "c", "--health-cmd", check, *options, "busybox",
        "sleep", "1000", **more)  # fmt: skip


def inspected(pod: Engine, field: str) -> Any:
    return pod("inspect", "-f", f"{{{{json .{field}}}}}", "c").json()


def status(pod: Engine) -> str:
    return str(inspected(pod, "State.Health")["Status"])


def log(pod: Engine) -> list[dict[str, Any]]:
    return inspected(pod, "State.Health")["Log"] or []


def becomes(pod: Engine, wanted: str) -> None:
    until(lambda: status(pod) == wanted, wanted)


def check(pod: Engine, exit_status: int = 0) -> None:
    pod("healthcheck", "run", "c", status=exit_status, env=BY_HAND)


def touch(pod: Engine, path: str = "/ok") -> None:
    pod("exec", "c", "touch", path)


@pytest.mark.not_podman("it says nothing")
def test_options_without_a_check_are_told_to_have_no_effect(pod: Engine) -> None:
    words = ("--rm", "--network", "none", "busybox", "true")
    assert "--health-cmd says what to check" in pod("run", "--health-retries", "3", *words).stderr
    assert pod("run", "--no-healthcheck", *words).stderr == ""


# What is recorded


def test_a_check_by_hand_is_recorded(pod: Engine) -> None:
    start(pod, f"echo looked; {TOGGLE}", "--health-retries", "2", *NEVER, env=BY_HAND)
    assert status(pod) == "starting"
    check(pod, 1)
    assert status(pod) == "starting"
    check(pod, 1)
    assert status(pod) == "unhealthy"
    assert "(unhealthy)" in pod("ps", "--format", "{{.Status}}").out
    assert pod("ps", "-q", "--filter", "health=unhealthy").lines
    assert pod("ps", "-q", "--filter", "health=healthy").lines == []
    touch(pod)
    check(pod)
    health = inspected(pod, "State.Health")
    assert (health["Status"], health["FailingStreak"]) == ("healthy", 0)
    assert [entry["ExitCode"] for entry in health["Log"]] == [1, 1, 0]
    assert {entry["Output"].strip() for entry in health["Log"]} == {"looked"}
    assert all(entry["Start"] <= entry["End"] for entry in health["Log"])


def test_nothing_to_check(pod: Engine) -> None:
    pod("run", "-d", "--network", "none", "--name", "c", "busybox", "sleep", "1000")
    assert "c" in pod("healthcheck", "run", "c", status=125).stderr
    assert pod("ps", "--format", "{{.Status}}").out.startswith("Up ")
    assert (
        pod("inspect", "-f", "{{if .State.Health}}{{.State.Health.Status}}{{end}}", "c").out == ""
    )
    pod("rm", "-f", "-t", "0", "c")
    pod("create", "--name", "c", "--health-cmd", "true", *NEVER, "busybox")
    assert "not running" in pod("healthcheck", "run", "c", status=125).stderr


@own_checks
def test_it_is_checked_by_itself(pod: Engine) -> None:
    start(pod, TOGGLE, *SOON, "--health-retries", "2")
    becomes(pod, "unhealthy")
    touch(pod)
    becomes(pod, "healthy")
    shown = pod("ps", "--format", "{{.Status}}").out
    assert shown.startswith("Up ") and shown.endswith("(healthy)")
    pod("exec", "c", "rm", "/ok")
    becomes(pod, "unhealthy")
    assert len(log(pod)) == 5


@own_checks
def test_the_small_monitor_checks_as_well(pod: Engine) -> None:
    start(pod, TOGGLE, "--health-interval", "300ms", "--health-retries", "1", env=SHRINKS_AT_ONCE)
    watcher = inspected(pod, "State.ConmonPid")
    until(lambda: b"pod.monitor.resume" in Path(f"/proc/{watcher}/cmdline").read_bytes(), "small")
    touch(pod)
    becomes(pod, "healthy")
    pod("exec", "c", "rm", "/ok")
    becomes(pod, "unhealthy")


def test_the_log_survives_a_restart_and_the_status_does_not(pod: Engine) -> None:
    start(pod, "echo first", *NEVER, env=BY_HAND)
    check(pod)
    pod("stop", "-t", "0", "c")
    assert status(pod) == "healthy"
    pod("start", "c", env=BY_HAND)
    assert status(pod) == "starting"
    assert [entry["Output"].strip() for entry in log(pod)] == ["first"]


# Where it comes from


@pytest.fixture
def checked_image(pod: Engine, tmp_path: Path) -> str:
    layout = Layout(str(tmp_path / "layout"))
    health = {"Test": ["CMD-SHELL", "echo image"], "Interval": 7_000_000_000, "Retries": 9}
    config = {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"], "Healthcheck": health}
    image = layout.add_image(
        [layout.add_layer(busybox_layer())], config, docker=True, name="checked"
    )
    archive = image.docker_archive(str(tmp_path / "image.tar"), ["localhost/checked:latest"])
    pod("load", "-i", archive)
    return "localhost/checked"


@own_checks
def test_the_image_says_how(pod: Engine, checked_image: str) -> None:
    pod("run", "-d", "--network", "none", "--name", "c", "--health-retries", "4", checked_image)
    becomes(pod, "healthy")
    assert log(pod)[0]["Output"] == "image\n"
    config = inspected(pod, "Config.Healthcheck")
    assert config == {
        "Test": ["CMD-SHELL", "echo image"],
        "Interval": 7_000_000_000,
        "Timeout": 30_000_000_000,
        "Retries": 4,
    }


@pytest.mark.parametrize("option", [["--no-healthcheck"], ["--health-cmd", "none"]])
def test_the_image_can_be_overruled(pod: Engine, checked_image: str, option: list[str]) -> None:
    pod("create", "--name", "c", *option, checked_image)
    assert inspected(pod, "Config.Healthcheck")["Test"] == ["NONE"]
    pod("start", "c", env=BY_HAND)
    pod("healthcheck", "run", "c", status=125, env=BY_HAND)


@pytest.mark.not_podman("4.3 has not all of them")
def test_every_option_is_shown(pod: Engine, tmp_path: Path) -> None:
    pod("create", "--name", "c", "--health-cmd", '["CMD", "ls"]', "--health-interval", "1m",
        "--health-timeout", "2s", "--health-retries", "4", "--health-start-period", "5s",
        "--health-start-interval", "6s", "--health-startup-cmd", "true",
        "--health-startup-interval", "7s", "--health-startup-timeout", "8s",
        "--health-startup-retries", "9", "--health-startup-success", "10",
        "--health-on-failure", "stop", "--health-log-destination", str(tmp_path),
        "--health-max-log-count", "11", "--health-max-log-size", "12", "busybox")  # fmt: skip
    second = 1_000_000_000
    config = inspected(pod, "Config")
    assert config["Healthcheck"] == {
        "Test": ["CMD", "ls"],
        "Interval": 60 * second,
        "Timeout": 2 * second,
        "Retries": 4,
        "StartPeriod": 5 * second,
        "StartInterval": 6 * second,
    }
    assert config["StartupHealthCheck"] == {
        "Test": ["CMD-SHELL", "true"],
        "Interval": 7 * second,
        "Timeout": 8 * second,
        "Retries": 9,
        "Successes": 10,
    }
    assert config["HealthcheckOnFailureAction"] == "stop"
    assert config["HealthLogDestination"] == str(tmp_path)
    assert (config["HealthcheckMaxLogCount"], config["HealthcheckMaxLogSize"]) == (11, 12)


@pytest.mark.not_podman("its sentences are others")
@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--health-retries", "0"], "--health-retries"),
        (["--health-interval", "often"], "--health-interval"),
        (["--health-on-failure", "cry"], "none, kill, restart, stop"),
        (["--health-log-destination", "/no/such/place"], "/no/such/place"),
        (["--health-max-log-count", "-1"], "--health-max-log-count"),
        (["--health-startup-retries", "3"], "--health-startup-cmd"),
        (["--no-healthcheck", "--health-cmd", "true"], "--health-cmd"),
        (["--health-cmd", ""], "--health-cmd"),
    ],
)
def test_wrong_values(pod: Engine, options: list[str], named: str) -> None:
    assert named in pod("create", *options, "busybox", status=125).stderr


# What follows


@own_checks
@pytest.mark.parametrize("action", ["kill", "stop"])
def test_an_unhealthy_container_is_ended(pod: Engine, action: str) -> None:
    start(pod, "exit 1", *SOON, "--health-retries", "2", "--health-on-failure", action, "--restart",
          "always", "--stop-signal", "KILL")  # fmt: skip
    assert pod("wait", "c").out == "137"
    assert inspected(pod, "State.Status") == "exited"
    assert "unhealthy" in inspected(pod, "State.Error")
    assert inspected(pod, "RestartCount") == 0
    assert status(pod) == "unhealthy"


@own_checks
@pytest.mark.parametrize("environment", [{}, SHRINKS_AT_ONCE], ids=["whole", "small"])
def test_an_unhealthy_container_is_restarted(pod: Engine, environment: dict[str, str]) -> None:
    start(pod, "exit 1", *NEVER,
          "--health-retries", "1", "--health-on-failure", "restart", "--stop-signal", "KILL",
          env=environment)  # fmt: skip
    watcher = inspected(pod, "State.ConmonPid")
    if environment:
        until(lambda: b"monitor.resume" in Path(f"/proc/{watcher}/cmdline").read_bytes(), "small")
    pid = inspected(pod, "State.Pid")
    check(pod, 1)
    until(lambda: inspected(pod, "State.Pid") not in {0, pid}, "started again")
    assert inspected(pod, "RestartCount") == 1
    becomes(pod, "starting")
    assert [entry["ExitCode"] for entry in log(pod)] == [1]


@own_checks
def test_startup_checks_come_first_and_restart(pod: Engine) -> None:
    start(pod, "echo regular", *SOON, "--health-startup-cmd", "echo startup; test -e /go",
          "--health-startup-interval", "100ms", "--health-startup-retries", "3", "--stop-signal",
          "KILL")  # fmt: skip
    until(lambda: inspected(pod, "RestartCount") >= 1, "restarted")
    until(lambda: pod("exec", "c", "touch", "/go", status=None).status == 0, "told to go")
    becomes(pod, "healthy")
    until(lambda: log(pod)[-1]["Output"] == "regular\n", "regular")


@own_checks
def test_waiting_is_told(pod: Engine) -> None:
    start(pod, TOGGLE, *NEVER, "--health-retries", "1")
    with pod.spawn("wait", "--condition", "healthy", "c") as waiter:
        until(lambda: has_connection(waiter.pid), "connected")
        check(pod, 1)
        assert pod("wait", "--condition", "unhealthy", "c").out == "-1"
        touch(pod)
        check(pod)
        assert waiter.communicate(timeout=30)[0] == b"-1\n"
    with pod.spawn("wait", "--condition", "unhealthy", "c") as waiter:
        until(lambda: has_connection(waiter.pid), "connected")
        pod("stop", "-t", "0", "c")
        assert b"ended" in waiter.communicate(timeout=30)[1]
        assert waiter.returncode == 125
    pod("wait", "--condition", "healthy", "--condition", "exited", "c")


@own_checks
def test_waiting_for_what_never_comes(pod: Engine) -> None:
    pod("run", "-d", "--network", "none", "--name", "c", "busybox", "sleep", "1000")
    result = pod("wait", "--condition", "healthy", "c", status=125)
    assert "no health check" in result.stderr


@own_checks
def test_events_and_logs_elsewhere(pod: Engine, tmp_path: Path) -> None:
    start(pod, "echo 0123456789", *NEVER, "--health-log-destination", str(tmp_path),
          "--health-max-log-size", "4", "--health-max-log-count", "2")  # fmt: skip
    for _ in range(3):
        check(pod)
    (path,) = tmp_path.iterdir()
    written = json.loads(path.read_text())
    assert path.name.endswith("-healthcheck.log")
    assert written == inspected(pod, "State.Health")
    assert [entry["Output"] for entry in written["Log"]] == ["0123"] * 2
    events = pod("events", "--stream=false", "--filter", "event=health_status", "--filter",
                 f"container={inspected(pod, 'Id')}", "--format", "{{.HealthStatus}}").lines  # fmt: skip
    assert events == ["healthy"] * 3


@own_checks
def test_an_update_holds_at_once(pod: Engine) -> None:
    start(pod, "exit 1", "--health-interval", "1h", "--health-retries", "1")
    becomes(pod, "unhealthy")
    pod("update", "--health-cmd", "echo new", "--health-interval", "100ms", "c")
    becomes(pod, "healthy")
    assert inspected(pod, "Config.Healthcheck")["Retries"] == 1
    pod("update", "--no-healthcheck", "c")
    assert inspected(pod, "State.Health") is None
    assert "no health check" in pod("update", "--health-retries", "2", "c", status=125).stderr


# Bad checks


@own_checks
def test_a_check_that_hangs_is_killed_with_all_that_it_started(pod: Engine) -> None:
    script = "echo before; (setsid sleep 7771 &); sh -c 'sleep 7772 & sleep 7773'"
    start(pod, script, *NEVER, "--health-timeout", "500ms", "--health-retries", "1")

    def killed_late_enough() -> bool:
        """It may not have come to say anything, on a busy machine."""
        check(pod, 1)
        entry = log(pod)[-1]
        assert entry["ExitCode"] == -1
        assert "500ms" in entry["Output"]
        return "before" in entry["Output"]

    until(killed_late_enough, "said something")
    assert "777" not in pod("top", "c", "args").stdout
    assert status(pod) == "unhealthy"


@own_checks
def test_a_check_may_flood(pod: Engine) -> None:
    start(pod, "head -c 100000000 /dev/zero | tr '\\0' x", *NEVER)
    check(pod)
    assert log(pod)[0]["Output"] == "x" * 500


@own_checks
def test_a_daemon_may_keep_the_output_open(pod: Engine) -> None:
    start(pod, "sleep 7774 & echo done", *NEVER)
    check(pod)
    assert log(pod)[0]["Output"] == "done\n"


@own_checks
def test_a_check_that_does_not_exist(pod: Engine) -> None:
    start(pod, '["CMD", "/no/such/check"]', *NEVER)
    check(pod, 1)
    assert log(pod)[0]["ExitCode"] == 127
    assert "/no/such/check" in log(pod)[0]["Output"]


@own_checks
def test_a_pause_is_no_failure(pod: Engine) -> None:
    start(pod, "sleep 0.2", *SOON, "--health-retries", "1")
    becomes(pod, "healthy")
    pod("pause", "c")
    assert "paused" in pod("healthcheck", "run", "c", status=125).stderr
    pod("unpause", "c")
    check(pod)
    assert {entry["ExitCode"] for entry in log(pod)} == {0}


@own_checks
def test_time_that_runs_out_during_a_pause_is_no_failure(pod: Engine) -> None:
    start(pod, "touch /begun; sleep 1000", "--health-timeout", "2s", *NEVER)

    def is_given_up() -> bool:
        """Check, and pause meanwhile; a busy machine may pause too late."""
        before = log(pod)
        pod("exec", "c", "rm", "-f", "/begun")
        with pod.spawn("healthcheck", "run", "c") as checking:
            until(
                lambda: pod("exec", "c", "test", "-e", "/begun", status=None).status == 0, "begun"
            )
            pod("pause", "c")
            _, said = checking.communicate(timeout=60)
        pod("unpause", "c")
        if checking.returncode == 1:
            return False
        assert b"paused" in said
        assert log(pod) == before
        return True

    until(is_given_up, "paused in time", seconds=60)


@own_checks
def test_stopping_is_no_failure(pod: Engine) -> None:
    """The check that runs at that moment is given up, though the container takes a second to end."""
    start(pod, "touch /begun; sleep 1000", *SOON, "--health-retries", "1", "--health-on-failure",
          "restart")  # fmt: skip
    until(lambda: pod("exec", "c", "test", "-e", "/begun", status=None).status == 0, "checking")
    pod("stop", "-t", "1", "c")
    assert inspected(pod, "State.Status") == "exited"
    assert log(pod) == []


@own_checks
def test_a_check_that_is_terminated_is_no_failure(pod: Engine) -> None:
    """All that it has started is ended; its time was not over."""
    start(pod, "touch /begun; sleep 7775", *NEVER)
    with pod.spawn("healthcheck", "run", "c") as checking:
        until(lambda: pod("exec", "c", "test", "-e", "/begun", status=None).status == 0, "begun")
        checking.terminate()
        assert checking.wait(60) == -signal.SIGTERM
    assert "7775" not in pod("top", "c", "args").stdout
    assert log(pod) == []


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@own_checks
def test_monitor_killed_during_a_check(pod: Engine) -> None:
    start(pod, "touch /begun; sleep 1000", *SOON)
    until(lambda: pod("exec", "c", "test", "-e", "/begun", status=None).status == 0, "checking")
    watcher = inspected(pod, "State.ConmonPid")
    os.kill(watcher, signal.SIGKILL)
    until(lambda: has_ended(watcher), "the end of the monitor")
    noticed = pod("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "c")
    assert noticed.out == "exited 137"
    assert "monitor was killed" in noticed.stderr
    assert "monitor was killed" in inspected(pod, "State.Error")
    assert pod("ps", "-q").out == ""
