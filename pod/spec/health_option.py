"""The grammar of --health-cmd and the options about health beside it.

Source: podman-run(1); docker's reference of `docker run`.
"""

from __future__ import annotations

import os

from pod.base.errors import InvalidValue
from pod.base.units import parse_duration_ns, parse_integer
from pod.spec.health import EXECUTED, IN_SHELL, NONE

ON_FAILURE = ("none", "kill", "restart", "stop")
_MOST = 2**31 - 1
_SHORTEST_NS = 1_000_000


def parse_command(text: str, option: str) -> tuple[str, ...]:
    """A shell script, a JSON array of words, either with "CMD", "CMD-SHELL" in front, or "none"."""
    words = _json_words(text, option)
    if words is None:
        first, _, rest = text.strip().partition(" ")
        kind = first.upper()
        if kind == NONE and not rest.strip():
            return (NONE,)
        if kind == EXECUTED:
            words = [kind, *rest.split()]
        elif kind == IN_SHELL:
            words = [kind, rest.strip()]
        else:
            words = [IN_SHELL, text]
    elif words and words[0].upper() in {NONE, EXECUTED, IN_SHELL}:
        words[0] = words[0].upper()
        if words[0] == NONE:
            return (NONE,)
    elif len(words) == 1:
        words = [IN_SHELL, *words]  # as podman has it
    else:
        words = [EXECUTED, *words]
    if len(words) < 2 or not words[1].strip():
        raise InvalidValue(option, text, 'a command, a JSON array such as ["CMD", "ls"], or none')
    return tuple(words)


def _json_words(text: str, option: str) -> list[str] | None:
    if not text.lstrip().startswith("["):
        return None
    from pod.base import plainjson

    try:
        value = plainjson.loads(text)
    except ValueError:
        return None  # the shell has a command of this name
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise InvalidValue(option, text, "a JSON array of strings")
    return value


def parse_interval(text: str, option: str) -> int:
    """Nanoseconds; 0 for "disable"."""
    if text == "disable":
        return 0
    duration = parse_duration_ns(text, option)
    if 0 < duration < _SHORTEST_NS:
        raise InvalidValue(option, text, "at least 1ms, or disable")
    return duration


def parse_timeout(text: str, option: str) -> int:
    """Nanoseconds."""
    duration = parse_duration_ns(text, option)
    if duration < _SHORTEST_NS:
        raise InvalidValue(option, text, "at least 1ms")
    return duration


def parse_count(text: str, option: str, *, lowest: int = 0) -> int:
    return parse_integer(text, option, lowest, _MOST)


def parse_on_failure(text: str, option: str) -> str:
    if text not in ON_FAILURE:
        raise InvalidValue(option, text, f"one of {', '.join(ON_FAILURE)}")
    return text


def parse_destination(text: str, option: str) -> str:
    """ "local", "events_logger", or the path of a directory that exists."""
    if text in {"local", "events_logger"}:
        return text
    if not os.path.isdir(text):
        raise InvalidValue(option, text, "local, events_logger, or a directory that exists")
    return os.path.abspath(text)
