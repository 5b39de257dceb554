"""The health of containers as files: in the run directory while they run, beside their logs afterwards.

Reading needs no lock: a file is replaced by rename. Who changes it, a monitor's checker or `pod healthcheck run`, takes
a lock of its own for that moment. What is in it: `spec/health.py`, `fresh`.
"""

from __future__ import annotations

import os

from pod.base import files, locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FILE, _LOCK = "health", "health.lock"


def read(directory: str) -> dict[str, Any]:
    """The health that is recorded in a run directory, or in a container's directory; {} when none is."""
    try:
        document: dict[str, Any] = files.read_json(f"{directory}/{FILE}")
    except FileNotFoundError:
        return {}
    return document


def write(directory: str, health: dict[str, Any]) -> None:
    """Replace the record."""
    files.write_json(f"{directory}/{FILE}", health, sync=False)


def change(
    directory: str, function: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> dict[str, Any] | None:
    """Put what `function` makes of the record in its place; None, and nothing is changed, when it returns None.

    So it is when the container has ended meanwhile and its directory is gone.
    """
    try:
        with locks.FileLock(f"{directory}/{_LOCK}"):
            health = read(directory)
            changed = function(health) if health else None
            if changed is not None:
                write(directory, changed)
            return changed
    except FileNotFoundError:
        return None


def keep(run_directory: str, directory: str) -> None:
    """The container has ended: its record stays with it."""
    health = read(run_directory)
    if health and os.path.isdir(directory):
        write(directory, health)
