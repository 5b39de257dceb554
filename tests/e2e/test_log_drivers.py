"""Log drivers from both ends: what is on disk, and what `logs` makes of it over rotations and restarts."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.support.connections import has_connection
from tests.support.engine import Engine
from tests.support.waiting import until

FILES = ["k8s-file", "json-file"]
IN_STEPS = """
step() { while [ ! -e /tmp/$1 ]; do sleep 0.02; done; }
"""


def run(pod: Engine, driver: str, script: str, *options: str, detach: bool = False) -> None:
    words = ["-d"] if detach else []
    pod("run", *words, "--network", "none", "--name", "c", "--log-driver", driver, *options, "busybox",
        "sh", "-c", script, status=None)  # fmt: skip


def step(pod: Engine, name: str) -> None:
    result = pod("exec", "c", "touch", f"/tmp/{name}", status=None)
    assert result.status in {0, 137}, result  # the container may end before `touch` does


def log_of(pod: Engine) -> Path:
    return Path(pod("inspect", "-f", "{{.HostConfig.LogConfig.Path}}", "c").out)


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


# On disk


def test_k8s_file_is_what_other_tools_read(pod: Engine, tmp_path: Path) -> None:
    path = tmp_path / "log"
    run(pod, "k8s-file", "echo out; echo err >&2; printf rest", "--log-opt", f"path={path}")
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}[+-]\d\d:\d\d"
    patterns = [rf"{time} stdout F out", rf"{time} stderr F err", rf"{time} stdout P rest"]
    lines = sorted(path.read_text().splitlines(), key=lambda line: "oer".index(line.split()[3][0]))
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line)


@pytest.mark.not_podman("its json-file is its k8s-file")
def test_json_file_is_what_other_tools_read(pod: Engine, tmp_path: Path) -> None:
    path = tmp_path / "log"
    run(pod, "json-file", 'echo "a \\"quoted\\" ü"; echo err >&2', "--log-opt", f"path={path}")
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    found = {entry["stream"]: entry["log"] for entry in entries}
    assert found == {"stdout": 'a "quoted" ü\n', "stderr": "err\n"}
    assert all(re.fullmatch(r"[\dT:-]{19}\.\d{9}Z", entry["time"]) for entry in entries)


@pytest.mark.not_podman("it keeps the last half")
@pytest.mark.parametrize("driver", FILES)
def test_files_are_rotated_and_the_oldest_go(pod: Engine, tmp_path: Path, driver: str) -> None:
    path = tmp_path / "log"
    run(pod, driver, "seq 1 60000", "--log-opt", f"path={path}", "--log-opt", "max-size=40k",
        "--log-opt", "max-file=3")  # fmt: skip
    assert sorted(os.listdir(tmp_path)) == ["log", "log.1", "log.2"]
    lines = pod("logs", "c").lines
    assert 3 < len(lines) < 60_000
    assert lines[1:] == numbers(60_002 - len(lines), 60_000)  # the first may be the end of a line
    assert pod("logs", "--tail", "40", "c").lines == lines[-40:]


@pytest.mark.parametrize("driver", FILES)
def test_a_log_that_is_removed_meanwhile_does_not_stop_the_container(
    pod: Engine, tmp_path: Path, driver: str
) -> None:
    path = tmp_path / "log"
    run(pod, driver, f"{IN_STEPS} echo one; step go; echo two; exit 3", "--log-opt", f"path={path}",
        detach=True)  # fmt: skip
    until(lambda: pod("logs", "c").lines == ["one"], "written")
    path.unlink()
    step(pod, "go")
    assert pod("wait", "c").out == "3"


@pytest.mark.not_podman("it begins without a log")
@pytest.mark.parametrize("driver", FILES)
def test_a_log_that_cannot_be_made_is_told_before_the_start(pod: Engine, driver: str) -> None:
    words = ("run", "--rm", "--network", "none", "--log-driver", driver, "--log-opt")
    result = pod(*words, "path=/no/such/directory/log", "busybox", "true", status=125)
    assert "/no/such/directory" in result.stderr
    assert pod.containers() == []


# Reading


@pytest.mark.parametrize("driver", FILES)
def test_a_restart_goes_on_with_the_same_log(pod: Engine, driver: str) -> None:
    run(pod, driver, "echo run >> /runs; wc -l < /runs; echo err >&2; exit 1",
        "--restart", "on-failure:2", detach=True)  # fmt: skip
    pod("wait", "c")
    pod("start", "-a", "c", status=1)
    pod("wait", "c")
    result = pod("logs", "c")
    assert result.lines[:4] == ["1", "2", "3", "4"]
    assert result.stderr.splitlines()[:4] == ["err"] * 4


@pytest.mark.not_podman("its times are those of files")
@pytest.mark.parametrize("driver", FILES)
@pytest.mark.parametrize("rotates", [False, True])
def test_times_choose_lines_over_rotations(pod: Engine, driver: str, rotates: bool) -> None:
    options = ["--log-opt", "max-size=1k", "--log-opt", "max-file=1000"] if rotates else []
    run(pod, driver, f"{IN_STEPS} seq 1 100; step go; seq 101 200", *options, detach=True)
    until(lambda: len(pod("logs", "c").lines) == 100, "written")
    step(pod, "go")
    pod("wait", "c")
    times = [line.split()[0] for line in pod("logs", "-t", "c").lines]
    assert len(times) == 200
    assert pod("logs", "--since", times[100], "c").lines == numbers(101, 200)
    assert pod("logs", "--until", times[99], "c").lines == numbers(1, 100)
    assert pod("logs", "--since", times[100], "--until", times[99], "c").lines == []
    assert pod("logs", "--tail", "150", "c").lines == numbers(51, 200)
    assert pod("logs", "--tail", "0", "c").lines == []


@pytest.mark.not_podman("its followers wait for more after the end")
@pytest.mark.parametrize("driver", FILES)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="one file"),
        pytest.param(["--log-opt", "max-size=2k", "--log-opt", "max-file=900"], id="rotated"),
    ],
)
def test_following_loses_nothing(pod: Engine, driver: str, options: list[str]) -> None:
    script = f"{IN_STEPS} seq 1 500; step go; seq 501 3000; exit 1"
    run(pod, driver, script, *options, "--restart", "on-failure:1", "--tmpfs", "/tmp", detach=True)
    until(lambda: len(pod("logs", "c").lines) == 500, "written")
    with pod.spawn("logs", "-f", "c") as whole, pod.spawn("logs", "-f", "--tail", "0", "c") as new:
        until(lambda: has_connection(whole.pid) and has_connection(new.pid), "connected")
        until(lambda: new_is_waiting(new.pid), "waiting for what is new")
        step(pod, "go")
        until(lambda: pod("inspect", "-f", "{{.RestartCount}}", "c").out == "1", "started again")
        until(
            lambda: pod("exec", "c", "touch", "/tmp/go", status=None).status in {0, 137}, "let go"
        )
        everything = numbers(1, 3000) * 2
        assert whole.communicate(timeout=30)[0].decode().split() == everything
        assert new.communicate(timeout=30)[0].decode().split() == everything[500:]
    assert pod("logs", "c").lines == everything


def new_is_waiting(pid: int) -> bool:
    with open(f"/proc/{pid}/wchan") as file:
        return "poll" in file.read()


@pytest.mark.parametrize("driver", FILES)
def test_following_ends_with_a_removed_container(pod: Engine, driver: str) -> None:
    run(pod, driver, "echo one; sleep 1000", detach=True)
    with pod.spawn("logs", "-f", "c") as process:
        assert process.stdout is not None and process.stdout.readline() == b"one\n"
        pod("rm", "-f", "-t", "0", "c")
        assert process.wait(30) == 0


@pytest.mark.parametrize("driver", FILES)
def test_following_what_has_ended_is_showing_it(pod: Engine, driver: str) -> None:
    run(pod, driver, "echo one")
    assert pod("logs", "-f", "c").out == "one"


@pytest.mark.parametrize("driver", FILES)
def test_bytes_that_are_no_text(pod: Engine, driver: str) -> None:
    """k8s-file keeps every byte; JSON is text."""
    run(pod, driver, r"printf 'a\377b\000c\r\n'; printf 'no end'")
    if driver == "k8s-file" or pod.kind == "podman":
        assert pod("logs", "c").stdout.rstrip("\n") == "a\udcffb\0c\r\nno end"
    else:
        assert pod("logs", "c").stdout == "a\ufffdb\0c\r\nno end"


# Drivers without a file


@pytest.mark.not_podman("it writes nowhere, and says nothing")
def test_journald_without_a_journal_is_told(pod: Engine) -> None:
    """Where there is a journal, the entries of a container can be read back."""
    words = (
        "run",
        "--rm",
        "--network",
        "none",
        "--log-driver",
        "journald",
        "busybox",
        "echo",
        "hello",
    )
    if os.path.exists("/run/systemd/journal/socket"):
        assert pod(*words).out == "hello"
        return
    result = pod(*words, status=125)
    assert (
        "/run/systemd/journal/socket" in result.stderr and "--log-driver k8s-file" in result.stderr
    )
    assert pod.containers() == []


def test_none_shows_output_to_those_who_are_there(pod: Engine) -> None:
    words = (
        "run",
        "--network",
        "none",
        "--name",
        "c",
        "--log-driver",
        "none",
        "busybox",
        "echo",
        "x",
    )
    assert pod(*words).out == "x"
    result = pod("logs", "c", status=125)
    assert "none" in result.stderr and result.stdout == ""


@pytest.mark.parametrize("how", ["run", "start"])
def test_passthrough_gives_the_callers_own_streams(pod: Engine, tmp_path: Path, how: str) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    words = ("-i", "--network", "none", "--name", "c", "--log-driver", "passthrough", "busybox", "sh",
             "-c", "cat; echo error >&2; readlink /proc/self/fd/1; exit 6")  # fmt: skip
    if how == "start":
        pod("create", *words)
        words = ("-a", "-i", "c")
    (tmp_path / "in").write_text("typed\n")
    with open(tmp_path / "in") as stdin, open(out, "w") as stdout, open(err, "w") as stderr:
        streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        with pod.spawn(how, *words, **streams) as command:
            assert command.wait(30) == 6
    assert out.read_text().startswith("typed\n") and "error\n" in err.read_text()
    if pod.kind == "pod":
        assert "passthrough" in pod("logs", "c", status=125).stderr


def test_passthrough_in_the_background(pod: Engine, tmp_path: Path) -> None:
    """The command ends at once, the container goes on writing."""
    words = ("--network", "none", "--name", "c", "--log-driver", "passthrough", "busybox", "sh", "-c",
             f"{IN_STEPS} step go; echo late")  # fmt: skip
    pod("create", *words)
    with open(tmp_path / "out", "wb") as out, pod.spawn("start", "c", stdout=out) as command:
        assert command.wait(30) == 0
    step(pod, "go")
    pod("wait", "c")
    assert (tmp_path / "out").read_text().split() == ["c", "late"]


@pytest.mark.not_podman("4.3 does not look")
def test_passthrough_and_a_terminal_exclude_one_another(pod: Engine) -> None:
    words = ("run", "-t", "--log-driver", "passthrough", "busybox", "true")
    assert "passthrough" in pod(*words, status=125).stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--log-driver", "syslog"],
        ["--log-driver", "nonsense"],
        ["--log-opt", "max-size=lots"],
        ["--log-opt", "nonsense=1"],
    ],
    ids=" ".join,
)
@pytest.mark.not_podman("it accepts some of them")
def test_what_cannot_be_logged_is_refused(pod: Engine, options: list[str]) -> None:
    result = pod("run", "--rm", *options, "busybox", "true", status=125)
    assert options[1].partition("=")[0] in result.stderr
    assert pod.containers() == []
