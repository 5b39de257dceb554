"""The manual page with every flag of podman and docker says what the program does."""

from __future__ import annotations

import importlib.util
import os
from types import ModuleType

import pytest

from pod.cli import table

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("flags", os.path.join(ROOT, "man/flags.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


flags = load_script()


def test_the_page_is_up_to_date(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        flags.main([])
    assert flags.main(["--check"]) == 0, "run: python3 man/flags.py"


def test_every_command_that_podman_or_docker_has_is_in_it() -> None:
    ours = {"help"}  # has no flags and is no command of its own elsewhere
    assert set(table.COMMANDS) - ours <= set(flags.read_others())
