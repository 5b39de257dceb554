"""Whose directory the root directory is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pod.base import paths


def test_new_and_empty_directories_are_taken(tmp_path: Path) -> None:
    paths.check_root(str(tmp_path / "new"))
    (tmp_path / "empty").mkdir()
    paths.check_root(str(tmp_path / "empty"))


@pytest.mark.parametrize("name", ["overlay", "notes.txt", "trash.tar", ".bashrc"])
def test_a_directory_with_other_things_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "trash").mkdir()
    (tmp_path / name).write_text("")
    with pytest.raises(paths.NotOurs, match=f"holds '{name}'"):
        paths.check_root(str(tmp_path))


def test_what_a_killed_first_command_leaves_is_ours(tmp_path: Path) -> None:
    for name in ("locks", "staging", "volumes", "lost+found"):
        (tmp_path / name).mkdir()
    (tmp_path / "storage.json.1.tmp").write_text("")
    paths.check_root(str(tmp_path))


def test_a_directory_that_is_in_use_stays_usable(tmp_path: Path) -> None:
    (tmp_path / "pod.db").write_text("")
    (tmp_path / "notes.txt").write_text("")
    paths.check_root(str(tmp_path))
