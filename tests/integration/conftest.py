"""Fixtures of the integration tests, which call our own functions on the real kernel."""

from tests.support.fixtures import *  # noqa: F403  # pytest finds fixtures and hooks by name in this module
