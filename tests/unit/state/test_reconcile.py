from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from pod.base import files, locks
from pod.base.files import DamagedFile
from pod.spec.monitor import EXIT_FILE, LOCK_FILE, STATE_FILE
from pod.state.reconcile import read_run

Write = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda name, document: files.write_json(f"{tmp_path}/{name}", document, sync=False)


@pytest.fixture
def monitor(tmp_path: Path) -> Generator[None]:
    """A lock as a monitor holds it."""
    fd = os.open(tmp_path / LOCK_FILE, os.O_WRONLY | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield
    os.close(fd)


def test_without_a_directory_the_run_is_lost(tmp_path: Path) -> None:
    run = read_run(str(tmp_path / "gone"))
    assert (run.condition, run.is_alive, run.pid) == ("lost", False, 0)


@pytest.mark.parametrize(
    ("state", "condition", "pid"),
    [
        (None, "starting", 0),
        ({"pid": 7, "started_ns": 0}, "starting", 7),
        ({"pid": 7, "started_ns": 5}, "running", 7),
        ({"pid": 7, "started_ns": 5, "restarting": True}, "restarting", 7),
        ({"pid": 7, "started_ns": 0, "restarts": 1}, "restarting", 7),
    ],
)
@pytest.mark.usefixtures("monitor")
def test_a_monitor_that_lives_says_what_it_does(
    tmp_path: Path, write: Write, state: dict[str, Any] | None, condition: str, pid: int
) -> None:
    if state is not None:
        write(STATE_FILE, state)
    run = read_run(str(tmp_path))
    assert (run.condition, run.is_alive, run.pid) == (condition, True, pid)


def test_a_state_without_a_monitor_is_a_lost_run(tmp_path: Path, write: Write) -> None:
    (tmp_path / LOCK_FILE).write_text("")
    write(STATE_FILE, {"pid": 7, "started_ns": 5})
    run = read_run(str(tmp_path))
    assert (run.condition, run.is_alive, run.state["pid"]) == ("lost", False, 7)


@pytest.mark.usefixtures("monitor")
def test_files_that_go_while_one_looks_are_not_those_of_a_monitor_that_begins(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end has been recorded between the look at the exit status and that at the state."""
    write(STATE_FILE, {"pid": 7, "started_ns": 5})
    look = locks.is_held

    def look_before_they_go(path: str) -> bool:
        answer = look(path)
        for file in tmp_path.iterdir():
            file.unlink()
        return answer

    monkeypatch.setattr(locks, "is_held", look_before_they_go)
    assert read_run(str(tmp_path)).condition == "lost"


@pytest.mark.usefixtures("monitor")
def test_an_exit_file_counts_although_the_monitor_still_lives(tmp_path: Path, write: Write) -> None:
    write(STATE_FILE, {"pid": 7, "started_ns": 5})
    write(EXIT_FILE, {"status": 3})
    run = read_run(str(tmp_path))
    assert (run.condition, run.end) == ("ended", {"status": 3})


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / EXIT_FILE).write_text("{")
    with pytest.raises(DamagedFile, match="is damaged"):
        read_run(str(tmp_path))
