"""Fixtures of the end-to-end tests, which run the program under test ($POD, or .venv/bin/pod) as a user would."""

from tests.support.fixtures import *  # noqa: F403  # pytest finds fixtures and hooks by name in this module
