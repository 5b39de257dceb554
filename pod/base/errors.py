"""The one base class of errors that are told to the person who typed the command.

Subclasses live next to the code that raises them; this module has those that have no such place.
"""

from __future__ import annotations

from pod.base import exits


class PodError(Exception):
    """Something a person can act on: a message, an optional hint, the exit status of the command.

    The message is one lower-case sentence without a full stop that names the object; the hint is something to do or
    to type. `pod/__main__.py` prints both and exits with `exit_status`.
    """

    exit_status = exits.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(PodError):
    """The command line itself is wrong."""


class InvalidValue(UsageError):
    """A value that does not follow its grammar; `grammar` says what is allowed."""

    def __init__(self, what: str, value: str, grammar: str) -> None:
        super().__init__(f"{what} '{value}' is not valid: {grammar}")
        self.value = value
        self.grammar = grammar


class Unsupported(UsageError):
    """Something that exists elsewhere and is refused here, with the reason."""

    def __init__(self, what: str, why: str, *, hint: str | None = None) -> None:
        super().__init__(f"{what} is not supported: {why}", hint=hint)
