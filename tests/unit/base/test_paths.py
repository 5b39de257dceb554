from __future__ import annotations

import os
from pathlib import Path

import pytest

from pod.base import paths
from pod.base.errors import PodError


def test_private_directories_are_made_with_their_parents(tmp_path: Path) -> None:
    path = str(tmp_path / "a/b/c")
    paths.make_private(path)
    paths.make_private(path)
    assert os.stat(path).st_mode & 0o777 == 0o700


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(paths.UnsafeDirectory, match="is not a directory"):
        paths.make_private(str(tmp_path / "a"))
    with pytest.raises(PodError, match="cannot be made"):
        paths.make_private(str(tmp_path / "a/b"))
    with pytest.raises(PodError, match="cannot be made"):
        paths.make_private(str(tmp_path / "a/b/c"))


def test_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    os.symlink("missing", tmp_path / "a")
    with pytest.raises(PodError, match="cannot be made"):
        paths.make_private(str(tmp_path / "a"))


def test_somebody_elses_directory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(paths.UnsafeDirectory, match="belongs to user 0"):
        paths.make_private("/")


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        where = "/proc/pod-test"  # root may write everywhere else
    else:
        where = str(tmp_path / "closed/pod")
        os.mkdir(tmp_path / "closed", 0o500)
    with pytest.raises(PodError, match="cannot be made") as caught:
        paths.make_private(where)
    assert "--root" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"XDG_DATA_HOME": "/data"}, "/data/pod"),
        ({"XDG_DATA_HOME": "", "HOME": "/home/me"}, "/home/me/.local/share/pod"),
    ],
)
def test_root_follows_the_xdg_directories(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert paths.default_root() == expected


def test_run_directory_falls_back_to_tmp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert paths.default_runroot() == f"{tmp_path}/pod"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    assert paths.default_runroot() == "/tmp/pod-run-1000"


def test_root_has_system_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert (paths.default_root(), paths.default_runroot()) == ("/var/lib/pod", "/run/pod")
