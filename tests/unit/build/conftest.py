"""What tests of builds share: a web server, and a git repository on it."""

from tests.support.repositories import repository, site  # noqa: F401  # pytest finds fixtures by name in this module
