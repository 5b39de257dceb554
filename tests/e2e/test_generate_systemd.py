"""`generate systemd`: the units, and what a real systemd of the user makes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.systemd import UserManager, user_manager
from tests.support.waiting import is_there, until

only_here = pytest.mark.not_podman(
    "its containers are in other cgroups, and systemd has no D-Bus here"
)


@pytest.fixture
def systemd(pod: Engine, runtime_directory: str) -> Generator[UserManager]:
    with user_manager(pod, os.path.join(runtime_directory, "sd")) as manager:
        yield manager


def generate(pod: Engine, systemd: UserManager, *words: str) -> dict[str, str]:
    """Write the units and have systemd read them; their texts."""
    units = pod("generate", "systemd", "--format", "json", *words).json()
    paths = [systemd.write(f"{name}.service", text) for name, text in units.items()]
    done = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", *paths],
        env=systemd.environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    systemd.reload()
    return dict(units)


def state(pod: Engine, name: str) -> str:
    return pod("inspect", "-f", "{{.State.Status}}", name, status=None).out


@only_here
def test_a_unit_starts_and_stops_the_container(pod: Engine, systemd: UserManager) -> None:
    pod(
        "create",
        "--name",
        "c",
        "--network",
        "none",
        "--stop-signal",
        "KILL",
        "busybox",
        "sleep",
        "1d",
    )
    generate(pod, systemd, "--name", "c")
    systemd("start", "container-c")
    assert state(pod, "c") == "running"
    monitor = pod("inspect", "-f", "{{.State.ConmonPid}}", "c").out
    assert systemd.show("container-c", "MainPID") == monitor
    container = pod("inspect", "-f", "{{.State.Pid}}", "c").out
    assert {int(monitor), int(container)} <= systemd.processes("container-c")
    # The unit's own group has no process, so that it can give controllers to that of the container.
    group = f"/sys/fs/cgroup{systemd.show('container-c', 'ControlGroup')}"
    assert Path(f"{group}/cgroup.procs").read_text() == ""
    assert monitor in Path(f"{group}/supervisor/cgroup.procs").read_text().split()
    systemd("restart", "container-c")
    assert state(pod, "c") == "running"
    assert systemd.show("container-c", "MainPID") not in {monitor, "0"}
    systemd("stop", "container-c")
    assert state(pod, "c") == "exited"
    assert systemd("is-active", "container-c", status=3) == "inactive"


@only_here
@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        ([], "notify", "--sdnotify=conmon "),
        (["--sdnotify=conmon"], "notify", ""),
        (["--sdnotify=container"], "notify", ""),
        (["--sdnotify=ignore"], "forking", ""),
    ],
)
def test_who_says_that_the_unit_is_ready(
    pod: Engine, systemd: UserManager, words: list[str], kind: str, says: str
) -> None:
    # The one program of busybox that writes to a datagram socket; it puts words of its own before the first line.
    script = """
        [ -z "$NOTIFY_SOCKET" ] || ln -sf "$NOTIFY_SOCKET" /dev/log
        [ -z "$NOTIFY_SOCKET" ] || logger "$(printf "x\nREADY=1\n ")"
        sleep 1d"""
    pod(
        "create", "--name", "c", "--network=none", "--stop-signal=KILL", *words, "busybox", "sh", "-c", script
    )  # fmt: skip
    (text,) = generate(pod, systemd, "--name", "c").values()
    assert f"\nType={kind}\n" in text and ("\nPIDFile=" in text) == (kind == "forking")
    assert f" start {says}c\n" in text
    for _ in range(2):
        systemd("start", "container-c")
        assert state(pod, "c") == "running"
        monitor = pod("inspect", "-f", "{{.State.ConmonPid}}", "c").out
        assert systemd.show("container-c", "MainPID") == monitor
        systemd("stop", "container-c")
        assert systemd("is-active", "container-c", status=3) == "inactive"


@only_here
def test_a_new_container_for_each_start(pod: Engine, systemd: UserManager) -> None:
    words = [
        "-e",
        "A=b c%d$e",
        "--network=none",
        "--stop-signal=KILL",
        "busybox",
        "sh",
        "-c",
        'echo "$A"; sleep 1d',
    ]
    pod("create", "--name", "c", "-e", "FROM", *words, env={"FROM": "out side"})
    generate(pod, systemd, "--new", "--name", "c")
    before = pod("inspect", "-f", "{{.Id}}", "c").out
    systemd("start", "container-c")
    assert pod("inspect", "-f", "{{.Id}}", "c").out != before
    until(lambda: pod("logs", "c").out == "b c%d$e", "the output")
    assert pod("inspect", "-f", "{{.Config.Labels.PODMAN_SYSTEMD_UNIT}}", "c").out == (
        "container-c.service"
    )
    variables = json.loads(pod("inspect", "-f", "{{json .Config.Env}}", "c").out)
    assert "FROM=out side" in variables
    systemd("stop", "container-c")
    assert pod.containers() == []
    assert systemd("is-active", "container-c", status=3) == "inactive"


@only_here
def test_paths_belong_to_where_they_were_typed(
    pod: Engine, systemd: UserManager, tmp_path: Path
) -> None:
    (tmp_path / "50% off").mkdir()
    (tmp_path / "50% off" / "variables").write_text("A=from the file\n")
    words = ["--network=none", "--stop-signal=KILL", "-v", ".:/here", "--env-file", "variables"]
    words += ["busybox", "sh", "-c", "echo $A; cat /here/variables; sleep 1d"]
    pod("create", "--name", "c", *words, cwd=str(tmp_path / "50% off"))
    generate(pod, systemd, "--new", "--name", "c")
    systemd("start", "container-c")
    until(lambda: pod("logs", "c").lines == ["from the file", "A=from the file"], "the output")
    systemd("stop", "container-c")
    pod("create", "--name", "absolute", "--network=none", "-v", "/tmp:/here", "busybox", "true")
    (text,) = generate(pod, systemd, "--new", "--name", "absolute").values()
    assert "WorkingDirectory" not in text


@only_here
def test_a_container_that_runs_already_is_said_at_once(pod: Engine, systemd: UserManager) -> None:
    """systemd would wait for a minute and a half for a main process that is not in the unit."""
    pod(
        "run", "-d", "--name", "c", "--network=none", "--stop-signal=KILL", "busybox", "sleep", "1d"
    )
    generate(pod, systemd, "--name", "--restart-policy", "no", "c")
    systemd("start", "container-c", status=1)
    assert "container 'c' runs already, and not in unit 'container-c.service'" in systemd.log()
    assert state(pod, "c") == "exited"
    systemd("start", "container-c")
    assert state(pod, "c") == "running"
    systemd("stop", "container-c")


@only_here
def test_how_it_ended_is_the_state_of_the_unit(pod: Engine, systemd: UserManager) -> None:
    pod("create", "--name", "c", "--network", "none", "busybox", "sh", "-c", "exit 7")
    generate(pod, systemd, "--name", "--restart-policy", "no", "c")
    systemd("start", "container-c", status=None)
    until(lambda: systemd.show("container-c", "ActiveState") == "failed", "failed")
    assert systemd.show("container-c", "ExecMainStatus") == "7"


@only_here
def test_a_killed_monitor_leaves_nothing_and_is_a_failure(
    pod: Engine, systemd: UserManager
) -> None:
    pod("create", "--name", "c", "--network=none", "busybox", "sleep", "1d")
    generate(pod, systemd, "--new", "--name", "--restart-policy", "on-failure", "c")
    systemd("start", "container-c")
    first = int(systemd.show("container-c", "MainPID"))
    inside = int(pod("inspect", "-f", "{{.State.Pid}}", "c").out)
    os.kill(first, signal.SIGKILL)
    until(lambda: systemd.show("container-c", "NRestarts") == "1", "restarted")
    until(lambda: systemd("is-active", "container-c", status=None) == "active", "active")
    until(lambda: not is_there(inside), "the end of what the monitor left")
    assert state(pod, "c") == "running"
    pod("kill", "c")
    until(lambda: systemd("is-active", "container-c", status=None) == "inactive", "inactive")
    assert pod.containers() == []


@only_here
def test_the_container_ends_where_the_command_that_stops_it_fails(
    pod: Engine, systemd: UserManager
) -> None:
    """Its process 1 ignores what systemd sends the main process; systemd itself would wait for 70 seconds."""
    pod("create", "--name", "c", "--network=none", "--stop-timeout=0", "busybox", "sleep", "1d")
    generate(pod, systemd, "--name", "c")
    systemd.write("container-c.service.d/a.conf", "[Service]\nExecStop=\nExecStop=/bin/false\n")
    systemd.reload()
    systemd("start", "container-c")
    systemd("stop", "container-c")
    assert state(pod, "c") == "exited"
    assert systemd.show("container-c", "NRestarts") == "0"
    assert not systemd.processes("container-c")


@only_here
@pytest.mark.parametrize("new", [False, True])
def test_the_units_of_a_pod(pod: Engine, systemd: UserManager, new: bool) -> None:
    pod("pod", "create", "--name", "p", "--network=none")
    words = ["--network=none", "--stop-signal=KILL", "busybox", "sleep", "1d"]
    for name in ("a", "b"):
        pod("create", "--pod", "p", "--name", name, *words[1:])
    units = generate(pod, systemd, "--name", *(["--new"] if new else []), "p")
    assert list(units) == ["container-a", "container-b", "pod-p"]
    systemd("start", "pod-p")
    for name in ("a", "b"):
        until(lambda name=name: state(pod, name) == "running", "running")  # type: ignore[misc]
    assert pod("ps", "--pod", "--format", "{{.PodName}}").lines.count("p") == 3
    systemd("stop", "pod-p")
    for name in ("container-a", "container-b", "pod-p"):
        until(lambda name=name: systemd("is-active", name, status=None) == "inactive", "inactive")  # type: ignore[misc]
    if new:
        assert pod.containers() == []
        assert pod("pod", "ps", "-q").out == ""


def keys_of(text: str) -> dict[str, list[str]]:
    """The values of each key of a unit, continuation lines joined."""
    found: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(" ".join(value.split()))
    return found


def test_what_the_options_say(pod: Engine, tmp_path: Path, is_podman: bool) -> None:
    pod("create", "--name", "c", "--network=none", "--stop-timeout", "3", "busybox", "true")
    words = ["--restart-policy=always", "--restart-sec=4", "--start-timeout=5", "--stop-timeout=7"]
    words += ["--after=a.service", "--after=b.service", "--requires=r.service", "--wants=w.service"]
    words += ["--container-prefix=x", "--separator=_", "--name", "-e", "A=b c", "--no-header"]
    (name, text), *_ = pod("generate", "systemd", "--format=json", *words, "c").json().items()
    keys = keys_of(text)
    assert name == "x_c"
    assert text.startswith("# x_c.service\n\n")
    assert keys["Restart"] == ["always"]
    assert is_podman or keys["RestartSec"] == ["4"]  # podman 4.3 forgets it
    assert keys["TimeoutStartSec"] == ["5"]
    assert keys["TimeoutStopSec"] == ["67"]
    assert keys["Requires"] == ["r.service"]
    assert "w.service" in " ".join(keys["Wants"])
    assert {"a.service", "b.service"} <= set(" ".join(keys["After"]).split())
    assert keys["WantedBy"] == ["default.target"]
    assert "A=b c" in " ".join(keys["Environment"]).replace('"', "")
    paths = pod("generate", "systemd", "--files", "--name", "c", cwd=str(tmp_path)).lines
    assert paths == [f"{tmp_path}/container-c.service"]
    assert "ExecStart=" in (tmp_path / "container-c.service").read_text()
    number = pod("inspect", "-f", "{{.Id}}", "c").out
    (name,) = pod("generate", "systemd", "--format=json", "c").json()
    assert name == f"container-{number}"


def test_a_template(pod: Engine) -> None:
    pod("create", "--name", "c", "--network=none", "busybox", "true")
    words = ("--new", "--template", "--name", "--format=json")
    ((name, text),) = pod("generate", "systemd", *words, "c").json().items()
    assert name.removesuffix("@") == "container-c"  # podman's has none
    assert text.startswith("# container-c@.service\n")
    assert "--name c-%i " in " ".join(keys_of(text)["ExecStart"])


@only_here
def test_instances_of_a_template(pod: Engine, systemd: UserManager) -> None:
    pod("create", "--name", "c", "--network=none", "--stop-signal=KILL", "busybox", "sleep", "1d")
    generate(pod, systemd, "--template", "--name", "c")
    systemd("start", "container-c@one", "container-c@two")
    assert (state(pod, "c-one"), state(pod, "c-two")) == ("running", "running")
    systemd("restart", "container-c@one")
    assert (state(pod, "c-one"), state(pod, "c-two")) == ("running", "running")
    systemd("stop", "container-c@one")
    assert sorted(pod("ps", "-a", "--format", "{{.Names}}").lines) == ["c", "c-two"]
    systemd("stop", "container-c@two")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--restart-policy", "often", "c"], "often"),
        (["none-such"], "none-such"),
        (["--restart-sec", "x", "c"], "x"),
    ],
)
def test_what_is_wrong_is_named(pod: Engine, words: list[str], message: str) -> None:
    pod("create", "--name", "c", "--network=none", "busybox", "true")
    assert message in pod("generate", "systemd", *words, status=125).stderr


@only_here
def test_what_has_no_unit(pod: Engine) -> None:
    pod("pod", "create", "--name", "p", "--network=none")
    pod("create", "--pod", "p", "--name", "c", "busybox", "true")
    pod("pod", "create", "--name", "bare", "--infra=false")
    for words, message in (
        (["--new", "c"], "is in pod 'p'"),
        (["--template", "p"], "'p' is a pod"),
        (["bare"], "has no infra container"),
        (["-e", "nothing", "p"], "NAME=VALUE"),
        (["--after", "a b", "p"], "--after"),
        (["--container-prefix", "%n", "p"], "--container-prefix '%n' is not valid: names of units"),
        (["--pod-prefix", "a@b", "p"], "--pod-prefix"),
        (["--separator", "$", "p"], "--separator"),
    ):
        assert message in pod("generate", "systemd", *words, status=125).stderr
    pod("pod", "rm", "bare")


@only_here
def test_a_service_that_is_never_ready_fails_in_time(pod: Engine, systemd: UserManager) -> None:
    words = [
        "--sdnotify=container",
        "--network=none",
        "--stop-signal=KILL",
        "busybox",
        "sleep",
        "1d",
    ]
    pod("create", "--name", "c", *words)
    options = ["--start-timeout", "1", "--stop-timeout", "0", "--restart-policy", "no"]
    generate(pod, systemd, "--new", "--name", *options, "c")
    systemd("start", "container-c", status=1)
    assert systemd.show("container-c", "Result") == "timeout"
    assert state(pod, "c") != "running"
    assert not systemd.processes("container-c")
