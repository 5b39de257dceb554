"""Questions to the person at the terminal."""

from __future__ import annotations

import sys


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
