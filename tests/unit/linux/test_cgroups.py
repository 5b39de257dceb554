"""What needs no delegated tree: reading and killing with files that look like cgroup v2. The rest is integration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pod.linux import cgroups


@pytest.fixture
def group(tmp_path: Path) -> str:
    path = tmp_path / "group"
    path.mkdir()
    (path / "cgroup.procs").write_text("")
    return str(path)


def test_more_processes_than_one_page_are_all_found(group: str) -> None:
    pids = list(range(100_000, 103_000))
    Path(group, "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
    os.mkdir(f"{group}/inner")
    Path(group, "inner/cgroup.procs").write_text("7\n")
    assert sorted(cgroups.processes(group)) == [7, *pids]


def test_reading_goes_on_after_a_short_read(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel gives a page of cgroup.procs at a time."""
    Path(group, "cgroup.procs").write_text("1\n22\n333\n")
    real = os.read
    monkeypatch.setattr(os, "read", lambda fd, size: real(fd, min(size, 4)))
    assert cgroups.processes(group) == [1, 22, 333]


def test_a_group_that_is_gone_is_empty(tmp_path: Path) -> None:
    path = str(tmp_path / "gone")
    assert cgroups.processes(path) == []
    assert not cgroups.is_populated(path)
    assert not cgroups.is_frozen(path)
    assert cgroups.out_of_memory_kills(path) == 0
    assert cgroups.remove(path)
    cgroups.remove_with_processes(path)


@pytest.mark.parametrize(
    ("text", "populated", "frozen"),
    [("populated 1\nfrozen 0\n", True, False), ("populated 0\nfrozen 1\n", False, True)],
)
def test_events_are_read(group: str, text: str, populated: bool, frozen: bool) -> None:
    Path(group, "cgroup.events").write_text(text)
    assert cgroups.is_populated(group) is populated
    assert cgroups.is_frozen(group) is frozen


@pytest.mark.parametrize(
    ("text", "kills"),
    [("low 0\noom 3\noom_kill 2\noom_group_kill 0\n", 2), ("", 0), ("oom_kill 0\n", 0)],
)
def test_kills_for_want_of_memory_are_counted(group: str, text: str, kills: int) -> None:
    Path(group, "memory.events").write_text(text)
    assert cgroups.out_of_memory_kills(group) == kills


def test_a_kernel_without_cgroup_kill_kills_one_by_one(group: str) -> None:
    """cgroup.kill came with Linux 5.14."""
    children = [subprocess.Popen(["sleep", "1000"]) for _ in range(2)]
    os.mkdir(f"{group}/inner")
    Path(group, "cgroup.procs").write_text(f"{children[0].pid}\n")
    Path(group, "inner/cgroup.procs").write_text(f"{children[1].pid}\n")
    assert cgroups.kill(group)
    assert [child.wait() for child in children] == [-9, -9]


def test_kill_says_when_there_is_no_group(tmp_path: Path) -> None:
    assert not cgroups.kill(str(tmp_path / "gone"))


def test_limits_that_cannot_be_set_are_told_with_their_reason(group: str) -> None:
    Path(group, "pids.max").write_text("max")
    Path(group, "cgroup.controllers").write_text("cpu pids\n")
    os.mkdir(f"{group}/cpu.max")
    refused = cgroups.set_values(group, {"pids.max": "5", "memory.max": "1024", "cpu.max": "1 1"})
    assert Path(group, "pids.max").read_text()[:1] == "5"
    assert refused == {
        "memory.max": "the memory controller is not delegated",
        "cpu.max": "Is a directory",
    }


def test_limit_of_several_lines_is_written_line_by_line(group: str) -> None:
    os.mkfifo(f"{group}/io.max")
    fd = os.open(f"{group}/io.max", os.O_RDWR | os.O_NONBLOCK)
    try:
        assert cgroups.set_values(group, {"io.max": "8:0 rbps=1\n8:16 wiops=2"}) == {}
        assert os.read(fd, 1000) == b"8:0 rbps=18:16 wiops=2"  # two writes, none with a new line
    finally:
        os.close(fd)


def test_nothing_is_delegated_without_a_unified_hierarchy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cgroups, "MOUNT", str(tmp_path))
    assert cgroups.delegated_root() is None


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("/user.slice/it", "/user.slice"),
        ("/user.slice", "/user.slice"),
        ("/other", None),
        ("/", None),
        ("/../../outside", None),
        ("/../cgroup-beside", None),
    ],
)
def test_the_delegated_root_is_the_highest_that_is_ours(
    tmp_path: Path, group: str, expected: str | None
) -> None:
    for path in ("cgroup/user.slice/it", "cgroup/user.slice", "cgroup-beside", "outside"):
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
        (tmp_path / path / "cgroup.procs").write_text("")
    mount = f"{tmp_path}/cgroup"
    found = cgroups.highest_writable(mount, group)
    assert found == (None if expected is None else mount + expected)
