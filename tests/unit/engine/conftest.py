"""Fixtures of the tests of configuration files."""

from tests.support.configured import debug, machine

__all__ = ["debug", "machine"]
