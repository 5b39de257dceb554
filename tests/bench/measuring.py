"""How it is measured: cases, their lines of the table, and the clock around a command."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.support import keeper
from tests.support.engine import Engine


@dataclass(frozen=True)
class Measure:
    """A line of the table. `goal` is the ratio to podman, unless `unit` makes it a number: "MB", "ms", or "times"."""

    text: str
    goal: float
    unit: str = "s"


@dataclass(frozen=True)
class Case:
    """`run` is called once in a round for each engine; `prepare` once before all, `finish` once after all."""

    measures: dict[str, Measure]
    run: Callable[[Engine], dict[str, float]]
    prepare: Callable[[Engine], None] = lambda engine: None
    finish: Callable[[Engine], None] = lambda engine: engine.clean()
    warm: bool = True  # one round first that does not count
    slow: bool = False  # takes more than 5 s a round
    asked_for: bool = False  # measured only when it is named: it takes gigabytes, and minutes
    alone: bool = (
        False  # one round without the peer, which would take minutes; the goal is a number
    )


class CommandFailed(Exception):
    """A timed command did not exit with 0."""


def timed(engine: Engine, *arguments: str) -> float:
    """Seconds from just before the program starts until it has ended; its output goes to /dev/null."""
    return seconds_until_end(start(engine, *arguments))


def start(engine: Engine, *arguments: str) -> tuple[int, float, list[str]]:
    """posix_spawn(3), which costs less than subprocess and the same for both programs."""
    return start_command(engine, engine.full_command(*arguments))


def start_command(
    engine: Engine, command: list[str], *, quiet: bool = False
) -> tuple[int, float, list[str]]:
    """The same of a whole command line; `quiet` drops what it says on standard error."""
    dropped = (0, 1, 2) if quiet else (0, 1)
    actions = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in dropped]
    begun = time.perf_counter()
    return (
        os.posix_spawn(command[0], command, engine.environment, file_actions=actions),
        begun,
        command,
    )


def seconds_until_end(started: tuple[int, float, list[str]]) -> float:
    pid, begun, command = started
    _, status = os.waitpid(pid, 0)
    ended = time.perf_counter()
    if status != 0:
        raise CommandFailed(f"{' '.join(command)} ended with wait status {status}")
    return ended - begun


def settle(engine: Engine, allowed: set[keeper.Process]) -> None:
    """Wait until what works behind a command's back has ended, so that it does not disturb the next measure."""
    keeper.wait_for_end(
        [process for process in keeper.descendants() if process not in allowed], 120
    )


def tree_beside(engine: Engine) -> str:
    return os.path.join(os.path.dirname(engine.root), f"tree-{os.path.basename(engine.root)}")


def pss_bytes(pid: int) -> int:
    """The proportional set size, smaps_rollup of proc(5); of a process that hides it, pasta, an estimate.

    That is its own memory, and its share in the files among all processes of the same name.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return _kilobytes(file, "Pss:") * 1024
    except PermissionError:
        pass
    name = _name(str(pid))
    sharing = sum(_name(other) == name for other in filter(str.isdigit, os.listdir("/proc")))
    with open(f"/proc/{pid}/status") as file:
        lines = list(file)
    own = _kilobytes(lines, "RssAnon:") + _kilobytes(lines, "RssShmem:")
    return (own + _kilobytes(lines, "RssFile:") // max(sharing, 1)) * 1024


def _kilobytes(lines: Iterable[str], key: str) -> int:
    for line in lines:
        if line.startswith(key):
            return int(line.split()[1])
    raise RuntimeError(f"no line '{key}'")


def _name(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read()
    except OSError:
        return ""
