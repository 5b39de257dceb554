"""What `stats` makes of the files of a cgroup: the kernel's formats, from a directory that has them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pod.engine import stats

FILES = {
    "cpu.stat": "usage_usec 5000000\nuser_usec 3000000\nsystem_usec 2000000\nnice_usec 0\n",
    "memory.current": "1000000\n",
    "memory.max": "4000000\n",
    "memory.stat": "anon 600000\nfile 400000\ninactive_anon 7\ninactive_file 300000\n",
    "pids.current": "7\n",
    "io.stat": "8:0 rbytes=100 wbytes=20 rios=3 wios=4 dbytes=0 dios=0\n8:16 rbytes=11 wbytes=2 rios=1\n",
    "cgroup.procs": "",
}


def running(cgroup: Path, seconds: float) -> stats.Subject:
    started_ns = time.time_ns() - int(seconds * 1e9)
    return stats.Subject("a" * 64, "web", os.getpid(), started_ns, str(cgroup))


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_files_of_a_cgroup_with_all_controllers(cgroup: Path) -> None:
    (sample,) = stats._samples([running(cgroup, 100)])
    assert (sample.cpu_ns, sample.system_ns) == (5_000_000_000, 2_000_000_000)
    assert sample.cpu_share == sample.average_share == pytest.approx(0.05, rel=0.1)
    assert (sample.memory, sample.memory_limit) == (700_000, 4_000_000)
    assert (sample.read, sample.written) == (111, 22)
    assert sample.tasks == 7
    assert (sample.received, sample.sent) == (0, 0)


def test_without_a_limit_it_is_the_machine(cgroup: Path) -> None:
    (cgroup / "memory.max").write_text("max\n")
    (sample,) = stats._samples([running(cgroup, 100)])
    assert sample.memory_limit == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_missing_controllers_are_made_up_for_by_its_processes(cgroup: Path) -> None:
    for name in ("memory.current", "memory.stat", "memory.max", "pids.current", "io.stat"):
        (cgroup / name).unlink()
    (cgroup / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (sample,) = stats._samples([running(cgroup, 100)])
    assert sample.cpu_ns == 5_000_000_000
    assert sample.memory > 1_000_000
    assert sample.tasks >= 1


def test_a_cgroup_that_has_just_gone_is_no_error(tmp_path: Path) -> None:
    (sample,) = stats._samples([running(tmp_path / "gone", 100)])
    assert (sample.cpu_ns, sample.memory, sample.tasks) == (0, 0, 0)
