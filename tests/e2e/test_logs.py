"""`pod logs`: what was written, selected by time and number, followed, of several containers."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

import pytest

from tests.support.engine import Engine
from tests.support.waiting import until


def write(pod: Engine, name: str, script: str, *words: str) -> None:
    pod(
        "run",
        "--network",
        "none",
        "--name",
        name,
        *words,
        "busybox",
        "sh",
        "-c",
        script,
        status=None,
    )


@pytest.mark.parametrize("driver", ["k8s-file", "json-file"])
def test_streams_are_told_apart(pod: Engine, driver: str) -> None:
    write(pod, "w", "echo one; echo two >&2; printf end", "--log-driver", driver)
    result = pod("logs", "w")
    assert result.stdout.rstrip("\n") == "one\nend"
    assert result.stderr == "two\n"


def test_tail(pod: Engine) -> None:
    write(pod, "w", "for i in 1 2 3 4 5; do echo $i; done")
    assert pod("logs", "--tail", "2", "w").lines == ["4", "5"]
    assert pod("logs", "--tail", "0", "w").lines == []
    assert len(pod("logs", "--tail", "100", "w").lines) == 5
    assert "lots" in pod("logs", "--tail", "lots", "w", status=125).stderr


def test_timestamps(pod: Engine) -> None:
    write(pod, "w", "echo hello")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z) hello", pod("logs", "-t", "w").out
    )


def test_since_and_until(pod: Engine) -> None:
    write(pod, "w", "echo early; sleep 3; echo late")
    early, late = (line.partition(" ")[0] for line in pod("logs", "--timestamps", "w").lines)
    between = datetime.fromisoformat(early[:19]) + timedelta(seconds=1)
    assert late[:19] > between.isoformat()
    assert pod("logs", "--since", f"{between.isoformat()}Z", "w").lines == ["late"]
    assert pod("logs", "--until", early[:19] + "Z", "w").lines in ([], ["early"])
    assert pod("logs", "--since", "1h", "w").lines == ["early", "late"]
    assert pod("logs", "--since", str(int(time.time()) + 100), "w").lines == []
    assert "yesterday-ish" in pod("logs", "--since", "yesterday-ish", "w", status=125).stderr


def test_follow_ends_with_the_container(pod: Engine) -> None:
    pod(
        "run", "-d", "--network", "none", "--name", "f", "busybox", "sh", "-c",
        "echo first; sleep 1; echo last",
    )  # fmt: skip
    with pod.spawn("logs", "-f", "f") as process:
        assert process.stdout is not None
        assert process.stdout.read() == b"first\nlast\n"
        assert process.wait(timeout=60) == 0
    assert pod("logs", "--follow", "f").lines == ["first", "last"]


def test_follow_with_tail_shows_only_what_is_new(pod: Engine) -> None:
    pod(
        "run", "-d", "--network", "none", "--name", "f", "busybox", "sh", "-c",
        "echo old; until [ -e /go ]; do sleep 0.1; done; until [ -e /end ]; do echo new; sleep 0.1; done",
    )  # fmt: skip
    until(lambda: pod("logs", "f").out == "old", "written")
    with pod.spawn("logs", "-f", "--tail", "0", "f") as process:
        assert process.stdout is not None
        pod("exec", "f", "touch", "/go")
        assert process.stdout.readline() == b"new\n"  # the next one, when it has begun to look
        pod("exec", "f", "touch", "/end", status=None)  # the container may end before `touch`
        assert set(process.stdout.read().splitlines()) <= {b"new"}


def test_several_containers(pod: Engine) -> None:
    write(pod, "one", "echo from one")
    write(pod, "two", "echo from two")
    out = pod("logs", "--names", "one", "two").stdout
    assert "one from one" in out and "two from two" in out
    if pod.kind != "podman":  # 4.3 has colours whatever is asked for
        number = pod("inspect", "-f", "{{.Id}}", "one").out
        assert f"{number[:12]} from one" in pod("logs", "one", "two").stdout


def test_several_containers_are_followed_at_once(pod: Engine) -> None:
    for name in ("one", "two"):
        pod(
            "run",
            "-d",
            "--network",
            "none",
            "--name",
            name,
            "busybox",
            "sh",
            "-c",
            f"echo {name}; sleep 1",
        )
    with pod.spawn("logs", "-f", "--names", "one", "two") as process:
        out = process.communicate(timeout=60)[0]
    assert b"one one\n" in out and b"two two\n" in out


def test_colors(pod: Engine) -> None:
    write(pod, "c", "echo x")
    assert "\x1b[" in pod("logs", "--color", "--names", "c").stdout
    if pod.kind != "podman":
        assert "\x1b[" not in pod("logs", "--color", "--names", "c", env={"NO_COLOR": "1"}).stdout


def test_latest_and_missing(pod: Engine) -> None:
    write(pod, "l", "echo x")
    assert pod("logs", "--latest").out == "x"
    assert "no-such-one" in pod("logs", "no-such-one", status=125).stderr
    pod("logs", status=125)


def test_many_lines_come_back_whole(pod: Engine) -> None:
    write(pod, "many", "seq 1 200000")
    assert pod("logs", "many").stdout == "".join(f"{number}\n" for number in range(1, 200_001))


def test_closed_reader_ends_the_command(pod: Engine) -> None:
    write(pod, "many", "seq 1 200000")
    with pod.spawn("logs", "many") as process:
        assert process.stdout is not None and process.stdout.readline() == b"1\n"
        process.stdout.close()
        process.wait(timeout=60)


def test_rotation_keeps_the_last_lines(pod: Engine) -> None:
    write(pod, "rot", "seq 1 20000", "--log-opt", "max-size=20k")
    lines = pod("logs", "rot").lines
    assert lines[-1] == "20000"
    assert len(lines) < 20_000
