"""Fixtures of the end-to-end tests, which run the program under test ($POD, or .venv/bin/pod) as a user would."""

from collections.abc import Generator

import pytest

from tests.integration.image.faulty import FaultyRegistry
from tests.support.fixtures import *  # noqa: F403  # pytest finds fixtures and hooks by name in this module


@pytest.fixture
def server() -> Generator[FaultyRegistry]:
    """A registry that misbehaves on demand, without TLS."""
    with FaultyRegistry() as started:
        yield started
