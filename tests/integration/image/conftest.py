"""Fixtures for everything that brings images into a store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator

import pytest

from storage import removal
from storage.store import Store
from tests.integration.image.faulty import FaultyRegistry


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, and no credentials of the person who runs the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Generator[FaultyRegistry]:
    with FaultyRegistry() as started:
        yield started


@pytest.fixture
def store(workspace: str) -> Generator[Store]:
    """An empty store on a real disk. After the test it must have neither staged trees nor anything but its images."""
    root = tempfile.mkdtemp(prefix="i-", dir=workspace)
    made = Store(root)
    yield made
    staged = os.listdir(f"{root}/staging") if os.path.exists(f"{root}/staging") else []
    made.staging.empty_trash()
    removal.remove_tree(root)
    assert not staged, "staged trees were left"
