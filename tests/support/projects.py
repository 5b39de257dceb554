"""A directory with compose files, for tests of `pod compose`."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine, Result


class Files:
    """A directory with compose files, and `pod compose` called for it."""

    def __init__(self, pod: Engine, directory: Path) -> None:
        self.pod = pod
        self.directory = directory
        self.projects: set[str] = set()

    def write(self, text: str, name: str = "compose.yaml") -> str:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def __call__(self, *words: str, status: int | None = 0, **more: Any) -> Result:
        return self.pod(
            "compose", "--project-directory", str(self.directory), *words, status=status, **more
        )

    def state(self, *words: str) -> dict[str, str]:
        """Name -> state of all containers."""
        shown = self(*words, "ps", "--all", "--format", "json").json()
        return {one["Name"]: one["State"] for one in shown}


@pytest.fixture
def compose(pod: Engine, tmp_path: Path) -> Generator[Files]:
    files = Files(pod, tmp_path)
    yield files
    for path in tmp_path.glob("compose*.yaml"):
        files("-f", str(path), "down", "--volumes", "--remove-orphans", "-t", "0", status=None)
