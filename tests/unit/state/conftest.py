"""A database in a directory of its own, and rows to put into it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from pod.base import ids
from pod.spec.container import ContainerConfig
from pod.state import containers
from pod.state.containers import Container
from pod.state.database import Database

Insert = Callable[..., Container]


def row(name: str = "", config: ContainerConfig | None = None, **facts: Any) -> Container:
    """A container as `create` would make it."""
    container_id = facts.pop("id", ids.new_id())
    known: dict[str, Any] = {
        "id": container_id,
        "name": name or f"c_{container_id[:8]}",
        "status": "created",
        "created_ns": 1,
        "started_ns": 0,
        "finished_ns": 0,
        "exit_status": 0,
        "boot_id": "",
        "image_id": "",
        "config": config or ContainerConfig(image="busybox"),
        "outcome": {},
    }
    return Container(**{**known, **facts})


@pytest.fixture
def database(tmp_path: Path) -> Generator[Database]:
    opened = Database(str(tmp_path / "root/pod.db"))
    yield opened
    opened.close()


@pytest.fixture
def insert(database: Database) -> Insert:
    def do(name: str = "", config: ContainerConfig | None = None, **facts: Any) -> Container:
        container = row(name, config, **facts)
        containers.insert(database, container)
        return container

    return do
