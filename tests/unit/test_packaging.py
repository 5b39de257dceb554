"""What `pip install .` installs: every package of ours, and the shipped defaults."""

from __future__ import annotations

import os
import sys

import pytest

from tests.support.engine import TREE

tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")


def test_every_folder_with_code_is_a_package_of_the_distribution() -> None:
    with open(os.path.join(TREE, "pyproject.toml"), "rb") as file:
        listed = tomllib.load(file)["tool"]["setuptools"]["packages"]
    there = {"pod.conf"}
    for top in ("pod", "storage", "netns"):
        for directory, _, files in os.walk(os.path.join(TREE, top)):
            if any(name.endswith(".py") for name in files):
                there.add(os.path.relpath(directory, TREE).replace(os.sep, "."))
    assert sorted(listed) == sorted(there)
