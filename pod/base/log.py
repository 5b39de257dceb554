"""Diagnostics on standard error, by level. Results never pass through here.

Imports nothing heavy, so that the monitor can use it. The level is process-wide and set once at start.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS = ("trace", "debug", "info", "warn", "error", "fatal", "panic")
_LETTERS = {name: index for index, name in enumerate(LEVELS)} | {"warning": 3}


class _Threshold:
    level = _LETTERS["warn"]
    copy: Callable[[str, str], None] | None = None


def set_level(name: str) -> None:
    """Show messages of this level and above; `name` is one of LEVELS or "warning"."""
    _Threshold.level = _LETTERS[name]


def send_to(copy: Callable[[str, str], None]) -> None:
    """Call this, too, with the level and the text of each message that is shown."""
    _Threshold.copy = copy


def level() -> str:
    return LEVELS[_Threshold.level]


def is_shown(name: str) -> bool:
    return _LETTERS[name] >= _Threshold.level


def visible(text: str) -> str:
    """Control characters in the spelling of programming languages: what an image or a person put into a name or a
    command neither breaks the table nor drives the terminal. Bytes that are not UTF-8 stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or "\udc80" <= letter <= "\udcff" else repr(letter)[1:-1]
        for letter in text
    )


def debug(message: str) -> None:
    _emit("debug", message)


def info(message: str) -> None:
    _emit("info", message)


def warning(message: str) -> None:
    _emit("warn", message)


def error(message: str) -> None:
    _emit("error", message)


def _emit(name: str, message: str) -> None:
    if _LETTERS[name] < _Threshold.level:
        return
    if _Threshold.copy is not None:
        _Threshold.copy(name, message)
    prefix = {"warn": "Warning", "error": "Error"}.get(name, name)
    shown = message if name in ("debug", "trace") else visible(message)
    line = f"{prefix}: {shown}\n".encode("utf-8", "backslashreplace")
    try:
        os.write(2, line)
    except OSError:
        pass  # a closed standard error must not change what the command does


def flush() -> None:
    """Flush Python's own streams; a process that leaves through os._exit calls this first."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
