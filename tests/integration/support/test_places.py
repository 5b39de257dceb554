"""Directories of runs that were killed are removed by the next run, those of living ones are not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pod.linux import idmap
from tests.support.places import remove_tree, run_directory


def test_an_abandoned_directory_is_removed(tmp_path: Path) -> None:
    abandoned = tmp_path / "pt-abandoned"
    abandoned.mkdir()
    (abandoned / ".lock").touch()
    os.utime(abandoned, (0, 0))
    with run_directory(str(tmp_path)) as path:
        assert os.listdir(tmp_path) == [os.path.basename(path)]
    assert os.listdir(tmp_path) == []


def test_the_directory_of_another_run_stays(tmp_path: Path) -> None:
    with run_directory(str(tmp_path)) as first:
        os.utime(first, (0, 0))
        with run_directory(str(tmp_path)):
            assert os.path.isdir(first)


def test_files_of_subordinate_users_are_removed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()

    def fill() -> None:
        os.makedirs(tree / "closed" / "inner")
        os.chown(tree / "closed" / "inner", 33, 33)
        os.chown(tree / "closed", 33, 33)
        os.chmod(tree / "closed", 0)

    idmap.run_inside(fill, what="making files of others")
    assert subprocess.run(["rm", "-rf", str(tree)], stderr=subprocess.DEVNULL).returncode != 0
    remove_tree(str(tree))
    assert not tree.exists()
