"""What the run directory of an active container says: a row is never trusted to say "running" on its own.

Reading only; `engine/finish.py` makes the row true again.
"""

from __future__ import annotations

import os

from pod.base import files, locks
from pod.base.records import Record
from pod.spec.monitor import EXIT_FILE, LOCK_FILE, PAUSED_FILE, STATE_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Run(Record):
    """The present state of an active container.

    condition     "starting" (a monitor is there, the container not yet), "held" (it waits to become its command, see
                  `pod init`), "running", "paused", "restarting" (between two runs), "ended" (the exit status is
                  written, the row not yet), "lost" (no monitor and no exit status: it was killed, or never began)
    state, end    the monitor's files; {} where there is none
    """

    condition: str
    state: dict[str, Any]
    end: dict[str, Any]

    @property
    def is_alive(self) -> bool:
        """Whether a monitor looks after the container."""
        return self.condition in {"starting", "held", "running", "paused", "restarting"}

    @property
    def has_processes(self) -> bool:
        """Whether the command of the container is there, running or paused."""
        return self.condition in {"running", "paused"}

    @property
    def pid(self) -> int:
        """Process 1 of a running container."""
        return int(self.state.get("pid", 0))


def read_run(run_directory: str) -> Run:
    """Look at the files and the lock of a container's monitor."""
    end = _read(f"{run_directory}/{EXIT_FILE}")
    if end:
        return Run("ended", {}, end)
    lock = f"{run_directory}/{LOCK_FILE}"
    # Where there is no state, a monitor may have just begun, or the files of a run that is over may have just gone.
    if locks.is_held(lock) and (
        (state := _read(f"{run_directory}/{STATE_FILE}")) or locks.is_held(lock)
    ):
        condition = "held" if state.get("held") else "starting"
        if state.get("started_ns"):
            condition = "running"
        if state.get("restarting") or (condition == "starting" and state.get("restarts")):
            condition = "restarting"
        elif condition == "running" and _is_paused(run_directory, state):
            condition = "paused"
        return Run(condition, state, {})
    # The monitor may have ended normally between the two looks.
    end = _read(f"{run_directory}/{EXIT_FILE}")
    return Run("ended" if end else "lost", _read(f"{run_directory}/{STATE_FILE}"), end)


def _is_paused(run_directory: str, state: dict[str, Any]) -> bool:
    """Whether it is this run that was paused, not one before a restart."""
    paused = _read(f"{run_directory}/{PAUSED_FILE}")
    return bool(paused) and all(paused[name] == state[name] for name in ("pid", "pid_started"))


def read_state(run_directory: str) -> dict[str, Any]:
    """What a monitor has written about its container; {} when it has not come to that."""
    return _read(f"{run_directory}/{STATE_FILE}")


def _read(path: str) -> dict[str, Any]:
    if not os.access(
        path, os.F_OK
    ):  # the usual, for two files of three; an exception takes ten times as long
        return {}
    try:
        document: dict[str, Any] = files.read_json(path)
    except FileNotFoundError:
        return {}
    return document
