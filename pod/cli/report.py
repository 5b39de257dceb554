"""What went wrong -> one or two lines on standard error, and an exit status."""

from __future__ import annotations

import os
import sys

from pod.base import exits, log
from pod.base.errors import PodError

INTERRUPTED = 130  # 128 + SIGINT


def report(error: BaseException) -> int:
    """Tell the person about `error` and return the exit status that it means.

    A PodError and what the operating system refuses are told as they are. Anything else is a defect of pod.
    """
    if isinstance(error, BrokenPipeError):
        return exits.PIPE_CLOSED
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else exits.FAILED if error.code else 0
    if log.is_shown("debug"):
        _show_traceback(error)
    if isinstance(error, PodError):
        complain(error.message, error.hint)
        return error.exit_status
    sentence = _of_the_machine(error)
    if sentence is not None:
        complain(*sentence)
        return exits.FAILED
    hint = "please report this, with what the same command prints with --log-level=debug"
    if log.is_shown("debug"):
        hint = "please report this, with the lines above"
    text = " ".join(str(error).split())
    complain(f"pod itself is at fault here: {type(error).__name__}: {text}", hint)
    return exits.FAILED


def complain(message: str, hint: str | None = None) -> None:
    """Write "Error: ..." and a hint to standard error, after all results printed so far.

    What images and registries say is in some messages; it neither drives the terminal nor looks like a line of ours.
    """
    first, *more = message.split("\n")
    if all(
        line.startswith("  ") for line in more
    ):  # an excerpt of a Dockerfile, which looks like no line of ours
        text = "\n".join(map(log.visible, (f"Error: {first}", *more, "")))
    else:
        text = f"Error: {log.visible(message)}\n"
    if hint:
        text += f"Hint: {log.visible(hint)}\n"
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        pass  # the end of the command reports it
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair, from somebody's JSON
        data = text.encode("utf-8", "backslashreplace")
    try:
        os.write(2, data)
    except OSError:
        pass  # nobody listens; the exit status still tells


def _of_the_machine(error: BaseException) -> tuple[str, str | None] | None:
    if not isinstance(error, OSError):
        return None
    from pod.cli.sentences import describe

    return describe(error)


def _show_traceback(error: BaseException) -> None:
    from traceback import print_exception  # heavy

    print_exception(error)
