"""Attempts to get out of a container by directories that stay open, and by files that lead out of it."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.own_interpreter import *  # noqa: F403

# With them, the host's /usr/bin/python3 runs in a container of busybox.
HOST_PROGRAMS = [
    word
    for path in ("/usr", "/lib", "/lib64")
    if os.path.isdir(path)
    for word in ("-v", f"{path}:{path}:ro")
]


PYTHON = "/usr/bin/python3"


@pytest.fixture
def box(pod: Engine) -> Generator[Engine]:
    """A running container "box" in which the host's Python works."""
    pod(
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "box",
        *HOST_PROGRAMS,
        "busybox",
        "sleep",
        "1000",
    )
    yield pod
    pod("rm", "-f", "-t", "0", "box")


# Descriptors and directories that stay open (CVE-2024-21626)

DESCRIPTORS = """
import json, os
found = {}
for fd in range(1024):
    try:
        found[fd] = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        pass
print(json.dumps([sorted(found), found, os.getcwd()]))
"""


@pytest.fixture
def outside(tmp_path: Path) -> str:
    (tmp_path / "outside").touch()
    return str(tmp_path)


def _with_directories_open(pod: Engine, outside: str) -> Engine:
    """The program, started in the directory `outside`, which it also has open as 3, 4, 5 and 9."""
    script = 'cd "$1" && shift && exec "$@" 3<. 4<. 5<. 9<.'
    return replace(pod, command=["sh", "-c", script, "sh", outside, *pod.command])


@pytest.mark.not_podman("it has no interpreter")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param([], [0, 1, 2], id="plain"),
        pytest.param(["-i"], [0, 1, 2], id="input"),
        pytest.param(["-t"], [0, 1, 2], id="terminal"),
        pytest.param(["--user", "1000"], [0, 1, 2], id="user"),
        pytest.param(["--preserve-fds", "2"], [0, 1, 2, 3, 4], id="preserved"),
    ],
)
def test_descriptors_of_exec(
    box: Engine, own_pod: Engine, outside: str, options: list[str], expected: list[int]
) -> None:
    for engine in (box, own_pod):
        given = _with_directories_open(engine, outside)
        out = given("exec", *options, "box", PYTHON, "-c", DESCRIPTORS).out
        numbers, found, directory = json.loads(out)
        assert numbers == expected, found
        assert directory == "/"


@pytest.mark.parametrize(
    "options", [[], ["-i"], ["-t"], ["--init"], ["--user", "1000"]], ids=" ".join
)
def test_descriptors_of_run(pod: Engine, outside: str, options: list[str]) -> None:
    given = _with_directories_open(pod, outside)
    words = ["--rm", "--network", "none", *HOST_PROGRAMS, *options, "busybox"]
    numbers, found, directory = json.loads(given("run", *words, PYTHON, "-c", DESCRIPTORS).out)
    assert numbers == [0, 1, 2], found
    assert directory == "/"


@pytest.mark.not_podman("4.3 has this hole")
def test_working_directory_cannot_be_an_open_one_of_the_host(box: Engine, outside: str) -> None:
    given = _with_directories_open(box, outside)
    for number in range(3, 10):
        words = ["-w", f"/proc/self/fd/{number}"]
        joined = given("exec", *words, "box", "ls", "-a", ".", status=None)
        assert "outside" not in joined.stdout, number
        if number in {3, 9}:
            words += ["--rm", "--network", "none"]
            started = given("run", *words, "busybox", "ls", "-a", ".", status=None)
            assert "outside" not in started.stdout, number
