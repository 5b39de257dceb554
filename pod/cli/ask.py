"""Questions to the person at the terminal."""

from __future__ import annotations

import os
import sys

from pod.base.errors import PodError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class NotAnswered(PodError):
    """A question that the command cannot do without got no answer."""


def confirmed(warning: str, question: str = "Are you sure you want to continue?") -> bool:
    """Show a warning, ask, and tell whether the answer is yes. No answer, as from a closed input, is no."""
    print(f"WARNING! {warning}")
    print(f"{question} [y/N] ", end="", flush=True)
    if sys.stdin is None:
        return False
    try:
        answer = sys.stdin.readline()
    except UnicodeDecodeError:
        return False
    if not answer.endswith("\n"):
        print()  # the terminal's cursor is still behind the question
    return answer.strip().lower() in ("y", "yes")


def chosen(question: str, answers: Sequence[str]) -> int:
    """Show numbered answers on standard error, and return the index of the one that the person takes."""
    lines = [question, *(f"  {number}) {answer}" for number, answer in enumerate(answers, 1))]
    while True:
        _show("\n".join([*lines, f"Number, 1 to {len(answers)}: "]))
        line = sys.stdin.readline()
        if not line:
            _show("\n")
            raise NotAnswered(
                "nothing was chosen", hint=f"write the whole name, such as {answers[0]}"
            )
        typed = line.strip()
        if typed.isdecimal() and 1 <= int(typed) <= len(answers):
            return int(typed) - 1
        lines = [f"'{typed}' is none of the numbers"]


def line(question: str, option: str) -> str:
    """Ask for a line of text. Raises UsageError where there is no terminal, NotAnswered when nothing comes."""
    if not os.isatty(0):
        raise UsageError(
            f"there is no terminal to ask for what '{option}' would say", hint=f"{option} NAME"
        )
    _show(question)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        _show("\n")
        raise NotAnswered("the question got no answer")
    return answer.removesuffix("\n")


def password(question: str, what: str, hint: str) -> str:
    """Ask for a secret, which the terminal does not show. Raises UsageError where there is no terminal."""
    if not os.isatty(0):
        raise UsageError(
            f"{what} has no password, and there is no terminal to ask for it", hint=hint
        )
    from getpass import getpass  # heavy

    try:
        return getpass(question)
    except EOFError:
        _show("\n")
        raise NotAnswered("the question got no answer") from None


def _show(text: str) -> None:
    try:
        os.write(2, text.encode("utf-8", "surrogateescape"))
    except OSError:
        pass  # the answer is read all the same
