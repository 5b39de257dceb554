"""Removing a container's directory at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from storage import small
from storage.staging import Staging


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(str(tmp_path / "root"))


def container(tmp_path: Path) -> Path:
    """A directory as an overlay leaves it that was mounted with "volatile"."""
    directory = tmp_path / "container"
    (directory / "upper" / "etc").mkdir(parents=True)
    (directory / "upper" / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    (directory / "work" / "work" / "incompat" / "volatile").mkdir(parents=True)
    (directory / "work" / "index").mkdir()
    for name in ("work/incompat/volatile", "work/incompat", "work", "index"):
        os.chmod(directory / "work" / name, 0)
    return directory


def test_what_an_overlay_leaves_is_removed_at_once(tmp_path: Path, staging: Staging) -> None:
    directory = container(tmp_path)
    small.remove_container(staging, str(directory))
    assert not directory.exists()
    assert staging.trash() == []


def test_a_directory_that_is_not_there_is_no_error(tmp_path: Path, staging: Staging) -> None:
    small.remove_container(staging, str(tmp_path / "nothing"))


def test_a_link_is_removed_and_not_followed(tmp_path: Path, staging: Staging) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("")
    directory = container(tmp_path)
    (directory / "upper" / "link").symlink_to(outside)
    small.remove_container(staging, str(directory))
    assert not directory.exists()
    assert (outside / "kept").exists()
