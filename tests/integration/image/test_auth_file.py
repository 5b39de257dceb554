"""The file with credentials is written by several processes at once, through links, and never by halves."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pod.image.auth import find_credentials
from pod.image.auth_file import Account, Place, forget, keep
from tests.support.engine import TREE

_MANY = """
import sys
from pod.image.auth_file import Account, Place, forget, keep
path, first = sys.argv[1], int(sys.argv[2])
for number in range(first, first + 20):
    keep(Place(path, chosen=True), Account(f"r{number}.example"), "jane", str(number), ())
    if number % 4 == 0:
        forget(Place(path, chosen=True), Account(f"r{number}.example"), ())
"""


def test_logins_at_once_do_not_undo_each_other(tmp_path: Path) -> None:
    path = tmp_path / "new" / "auth.json"
    processes = [
        subprocess.Popen([sys.executable, "-c", _MANY, str(path), str(first)], cwd=TREE)
        for first in range(0, 80, 20)
    ]
    assert [process.wait(60) for process in processes] == [0] * 4
    expected = {f"r{number}.example" for number in range(80) if number % 4}
    assert set(json.loads(path.read_text())["auths"]) == expected
    assert os.listdir(path.parent) == ["auth.json"], "locks or temporary files were left"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_link_stays_a_link_and_all_else_stays(tmp_path: Path) -> None:
    """Keys that nobody knows, half pairs of surrogates among them, and the entries of others."""
    real = tmp_path / "dotfiles.json"
    before = '{"x": [1, {"y": "\\ud800"}], "auths": {"https://a.example/v1/": {"auth": "eDp5", "email": "e"}}}'
    real.write_text(before)
    real.chmod(0o644)
    link = tmp_path / "auth.json"
    link.symlink_to(real)
    keep(Place(str(link), chosen=True), Account("b.example", "team"), "jane", "ü:x", ())
    assert link.is_symlink()
    document = json.loads(real.read_text())
    assert document.pop("auths").pop("b.example/team")
    assert document == {"x": [1, {"y": "\ud800"}]}
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    found = find_credentials("b.example", "team/app", authfile=str(link))
    assert found is not None
    assert found.password == "ü:x"
    keep(Place(str(link), chosen=True), Account("a.example"), "jane", "z", ())
    assert "https://a.example/v1/" not in real.read_text(), "two entries for one registry"
    assert forget(Place(str(link), chosen=True), Account("a.example"), ())


@pytest.mark.parametrize("docker", [True, False])
def test_docker_hub_is_filed_under_its_usual_name(tmp_path: Path, docker: bool) -> None:
    path = str(tmp_path / "config.json")
    place, hub = Place(path, docker=docker, chosen=True), Account("docker.io")
    keep(place, hub, "jane", "x", ())
    with open(path) as file:
        assert list(json.load(file)["auths"]) == [
            "https://index.docker.io/v1/" if docker else "docker.io"
        ]
    found = find_credentials("docker.io", "library/nginx", authfile=path)
    assert found is not None
    assert forget(place, hub, ())
    assert find_credentials("docker.io", authfile=path) is None
