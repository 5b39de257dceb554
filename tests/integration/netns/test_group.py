"""The cgroup of the holder of networks, in a real tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from netns.holder.group import Group, path_in
from pod.linux import cgroups, processes


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = path_in(cgroups.delegated_root(), str(tmp_path))
    assert path
    return path


def test_it_goes_although_somebody_is_still_in_it(tmp_path: Path, path: str) -> None:
    """As one who has ended may be for a moment, in kernels that take a process out of its group last of all."""

    def work() -> list[bool]:
        group = Group(path, str(tmp_path))
        was_there = os.path.isdir(path)
        with subprocess.Popen(["sleep", "1000"]) as other:
            group.take(other.pid)
            group.leave()
        return [was_there, os.path.isdir(path), os.path.exists(tmp_path / "cgroup")]

    assert processes.fork(work, what="hold a group").result() == [True, False, False]
