"""Fixtures of the end-to-end tests, which run the program under test ($POD, or .venv/bin/pod) as a user would."""

from collections.abc import Generator

import pytest

from tests.integration.image.faulty import FaultyRegistry
from tests.support.fixtures import *  # noqa: F403  # pytest finds fixtures and hooks by name in this module
from tests.support.projects import compose  # noqa: F401  # a fixture
from tests.support.signing import Gpg


@pytest.fixture
def server() -> Generator[FaultyRegistry]:
    """A registry that misbehaves on demand, without TLS."""
    with FaultyRegistry() as started:
        yield started


@pytest.fixture(scope="session")
def gpg_keys(tmp_path_factory: pytest.TempPathFactory) -> Gpg:
    """Keys to sign with, for all tests: making them takes a while."""
    return Gpg(str(tmp_path_factory.mktemp("gpg") / "home"))


@pytest.fixture
def gpg(gpg_keys: Gpg) -> Generator[Gpg]:
    """The same, and no agent that stays."""
    yield gpg_keys
    gpg_keys.close()
