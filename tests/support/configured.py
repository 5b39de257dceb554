"""Configuration files in a directory of the test's own, read as pod reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pod.base import log
from pod.engine.configuration import (
    Settings,
    load_settings,
)
from pod.engine.configuration_places import Places, shipped_directory


class Machine:
    """Directories that stand for /usr/share/containers, /etc/containers and ~/.config/containers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.options: dict[str, Any] = {}

    def write(self, name: str, text: str) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    @property
    def places(self) -> Places:
        root = str(self.root)
        fields = {
            "shipped": shipped_directory(),
            "user": f"{root}/user",
            "vendor": f"{root}/vendor",
        }
        return Places(**{**fields, "admin": f"{root}/etc", **self.options})

    def load(self) -> Settings:
        return load_settings(self.places)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def shown(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return capfd.readouterr().err.splitlines()


@pytest.fixture
def debug() -> Any:
    before = log.level()
    log.set_level("debug")
    yield
    log.set_level(before)
