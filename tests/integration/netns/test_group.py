"""The cgroup of the holder of networks, in a real tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from netns.holder import client, protocol, serving
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


def test_none_is_made_by_a_holder_that_ends_at_the_moment_when_it_would_be(
    tmp_path: Path, path: str
) -> None:
    """Nobody would remove it: its end is told and its time has come in one turn of the loop."""

    def work() -> list[bool]:
        holder = serving.Holder(str(tmp_path), path)
        holder.begin()
        channel = client.connect(str(tmp_path))
        assert channel is not None
        while not holder._clients:
            holder._loop.turn(1)
        channel.send(protocol.END)
        holder._loop.set_timer("group", 0, lambda: holder._enter(path))
        holder.run()
        return [os.path.isdir(path), os.path.exists(tmp_path / "cgroup")]

    assert processes.fork(work, what="end a holder").result() == [False, False]
